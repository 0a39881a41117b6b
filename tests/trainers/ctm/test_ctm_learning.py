"""Every compared model can learn a few programs by heart, and gives them back as edits."""

from typing import Any

import pytest
import torch
from ctm_batches import one_row, random_batch

from trainers.ctm.batch import DELETE, INSERT_BEFORE, REPLACE, Batch
from trainers.ctm.config import preset
from trainers.ctm.models import KINDS, build
from trainers.ctm.trm import TinyRecursiveModel, exponential_average
from trainers.errors import ModelError

CONFIG = preset("tiny", vocab_size=64)
FIRST_PIECES = [1, 1, 0, 1, 1, 0, 1]
PROGRAMS = [  # tokens of seven cells, of which 1 and 4 begin lexemes of two pieces
    one_row([5, 6, 7, 8, 9, 10, 11], FIRST_PIECES, cell=3, op=REPLACE, token=20),
    one_row([5, 6, 7, 12, 9, 10, 11], FIRST_PIECES, cell=3, op=REPLACE, pointer=(4,)),
    one_row([5, 6, 7, 8, 9, 10, 13], FIRST_PIECES, cell=6, op=INSERT_BEFORE, token=30),
    one_row([5, 5, 7, 8, 9, 10, 11], FIRST_PIECES, cell=0, op=DELETE),
    one_row([5, 6, 7, 14, 9, 10, 11], FIRST_PIECES),
]


def joined(programs: list[Batch]) -> Batch:
    return Batch(
        **{
            name: torch.cat([getattr(program, name) for program in programs])
            for name in Batch.__dataclass_fields__
        }
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_programs_are_learned_by_heart(kind: Any) -> None:
    torch.manual_seed(0)
    model = build(kind, CONFIG)
    batch = joined(PROGRAMS)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(60):
        for loss in model.supervision(batch):
            optimiser.zero_grad()
            loss.total.backward()
            optimiser.step()
    found = model.predict(batch)
    assert found.fix.tolist() == [True, True, True, True, False]
    assert found.cell.tolist()[:4] == [3, 3, 6, 0]
    assert found.operation.tolist()[:4] == [REPLACE, REPLACE, INSERT_BEFORE, DELETE]
    assert found.token.tolist()[:4] == [20, -1, 30, -1]
    assert found.pointer.tolist()[:4] == [-1, 4, -1, -1]
    assert float(found.probability[:4, 0].min()) > 0.5
    assert float(found.no_fix[4]) > 0.5
    assert model.loss(batch).located.all()


def test_trm_passes_no_gradient_between_supervision_steps() -> None:
    config = preset("tiny", vocab_size=64, trm_steps=3, trm_cycles=2)
    model = build("trm", config)
    batch = random_batch(config)
    steps = list(model.supervision(batch))
    assert len(steps) == 3
    gradients = torch.autograd.grad(steps[2].total, list(model.layers.parameters()))  # type: ignore[union-attr]
    assert all(bool(g.any()) for g in gradients)
    # Had a later step reached into an earlier one, its graph would now be gone.
    for step in steps[:2]:
        step.total.backward()
    assert model(batch).halting.shape == (3, 5)


def test_trm_stops_counting_samples_that_halt() -> None:
    config = preset("tiny", vocab_size=64, trm_steps=4, trm_exploration=0.0)
    model = build("trm", config)
    assert isinstance(model, TinyRecursiveModel)
    batch = random_batch(config)
    assert len(list(model.supervision(batch))) == 4
    torch.nn.init.constant_(model.halt.bias, 5.0)
    assert len(list(model.supervision(batch))) == 1
    exploring = build("trm", config.model_copy(update={"trm_exploration": 1.0}))
    torch.nn.init.constant_(exploring.halt.bias, 5.0)  # type: ignore[union-attr]
    assert len(list(exploring.supervision(batch))) == 4


def test_the_average_follows_the_weights() -> None:
    model = build("trm", CONFIG)
    average = exponential_average(model, decay=0.25)
    for _ in range(6):
        average.update_parameters(model)
    start = model.halt.bias.detach().clone()  # type: ignore[union-attr, operator]
    with torch.no_grad():
        model.halt.bias += 1.0  # type: ignore[union-attr, operator]
    average.update_parameters(model)
    torch.testing.assert_close(average.module.halt.bias.detach(), start + 0.75)


def test_a_short_run_is_not_left_with_the_weights_it_began_with() -> None:
    model = build("trm", CONFIG)
    average = exponential_average(model, decay=0.999)
    average.update_parameters(model)
    start = model.halt.bias.detach().clone()  # type: ignore[union-attr, operator]
    with torch.no_grad():
        model.halt.bias += 1.0  # type: ignore[union-attr, operator]
    for _ in range(100):
        average.update_parameters(model)
    assert float(average.module.halt.bias.detach() - start) > 0.9


def test_what_cannot_be_built_says_so() -> None:
    with pytest.raises(ModelError, match="no model 'rnn'; use one of ctm, trm"):
        build("rnn", CONFIG)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="lower control_layers"):
        build("encoder", preset("tiny", control_layers=40))


def test_trm_reads_a_step_as_if_it_were_the_last() -> None:
    config = preset("tiny", vocab_size=64, trm_steps=3)
    torch.manual_seed(0)
    model = build("trm", config).double()
    batch = random_batch(config)
    with torch.no_grad():
        found = model.edits_at(model(batch), batch, torch.full((batch.size,), 1))
    stopped = model.predict(batch, ticks=2, read="last")
    torch.testing.assert_close(found.probability, stopped.probability)
