"""GridWorkspace: ticks rewrite the cells' features. KENT's addition; the paper's cells are fixed.

With fixed cells, one synchronisation vector at tick 1 already carries what a query can fetch, and
more ticks bought nothing in our measurements; with rewriting, accuracy rose over ticks.
"""

from torch import Tensor, nn

from trainers.ctm.config import CTMConfig


class GridWorkspace(nn.Module):
    """f + W2 gelu(mix(f[p-1], f[p], f[p+1]) * (1 + gamma(query)) + beta(query)).

    p counts packed cells in reading order, so that a row's last cell touches the next row's first.
    gamma and beta are linear in the attention's query, which is linear in the action's
    synchronisation: a map of low rank instead of one from every pair.
    """

    def __init__(self, config: CTMConfig) -> None:
        super().__init__()
        self.width = config.workspace_width
        self.norm = nn.LayerNorm(config.d_model)
        self.mix = nn.Linear(config.d_model, 3 * self.width, bias=False)
        self.bias = nn.Linear(config.d_input, 2 * self.width)
        self.out = nn.Linear(self.width, config.d_model)

    def forward(self, features: Tensor, query: Tensor, valid: Tensor) -> Tensor:
        """Rewrite all cells once.

        Args:
            features: (B, N, d_model), 0 at padding.
            query: (B, d_input).
            valid: (B, N) bool.
        """
        shown = valid[..., None]
        before, here, after = self.mix(self.norm(features) * shown).split(self.width, -1)
        mixed = here.clone()
        mixed[:, 1:] += before[:, :-1]
        mixed[:, :-1] += after[:, 1:]
        gamma, beta = self.bias(query)[:, None].chunk(2, -1)
        changed = self.out(nn.functional.gelu(mixed * (1 + gamma) + beta))
        rewritten: Tensor = features + changed * shown
        return rewritten
