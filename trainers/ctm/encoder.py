"""Controls without recurrence: a plain transformer encoder, and the bare convolutional backbone.

A comparison of CTM and TRM alone misleads: at equal CPU time a plain encoder beat both.
"""

from torch import nn

from trainers.ctm.batch import Batch
from trainers.ctm.config import CTMConfig
from trainers.ctm.modules.backbone import CodeBackbone
from trainers.ctm.modules.rotational import angles
from trainers.ctm.modules.transformer import PreNormLayer
from trainers.ctm.repair_model import RepairModel
from trainers.ctm.thoughts import Thoughts


class EncoderModel(RepairModel):
    """``control_layers`` of attention over the cells."""

    def __init__(self, config: CTMConfig) -> None:
        super().__init__(config, d_context=config.d_model)
        self.layers = nn.ModuleList(
            PreNormLayer(config.d_model, config.heads, config.control_width)
            for _ in range(config.control_layers)
        )

    def forward(self, batch: Batch, ticks: int | None = None) -> Thoughts:
        """Encode once; ``ticks`` has no meaning here."""
        cells = self.grid(batch)
        turned = angles(batch.row, batch.col, self.config.d_model // self.config.heads)
        for layer in self.layers:
            cells = layer(cells, batch.valid, turned)
        return self.thought(cells, batch)


class BackboneModel(RepairModel):
    """``control_layers`` of local convolutions: what the CTM's backbone does alone."""

    def __init__(self, config: CTMConfig) -> None:
        super().__init__(config, d_context=config.d_model)
        self.backbone = CodeBackbone(config, config.control_layers, config.control_width)

    def forward(self, batch: Batch, ticks: int | None = None) -> Thoughts:
        """Encode once; ``ticks`` has no meaning here."""
        return self.thought(self.backbone(self.grid(batch), batch), batch)
