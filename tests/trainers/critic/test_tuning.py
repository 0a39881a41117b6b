"""Fine-tuning: learns a rule on both kinds of model, goes on after a cut, scores as if alone."""

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_bert import save_tiny_bert

from trainers.config import LoraConfig
from trainers.critic.adapters import ADAPTER, content_hash, read_record, read_tensors
from trainers.critic.packing import packed_row
from trainers.critic.reader import ProgramReader
from trainers.critic.tuned import TunedScores
from trainers.critic.tuning import tune
from trainers.critic.tuning_data import TuneProblem, balanced
from trainers.critic.tuning_loss import LossWeights, problem_loss
from trainers.errors import CheckpointError, TrainerError, WeightsError
from trainers.generators.base import Message
from trainers.stage import Progress, Stopped

MARKER = "return"
QUICK = LoraConfig(
    rank=4, alpha=16, dropout=0.1, learning_rate=3e-3, head_learning_rate=0.1, epochs=3,
    gradient_accumulation=2, programs_per_step=6,
)  # fmt: skip
ALL = LossWeights(pointwise=1.0, pairwise=1.0, listwise=0.5)
CODES = ["def f(x):\n    return x + 1", "", "x" * 50, "def f(x): pass"]


def problems(count: int, seed: int) -> list[TuneProblem]:
    """Programs of random letters; those with the marker pass."""
    chance = random.Random(seed)
    out = []
    for number in range(count):
        codes, passed = [], []
        for row in range(6):
            own = "".join(chance.choices("abcdef =\n", k=chance.randint(6, 24)))
            codes.append(own + (MARKER if row % 2 else "".join(chance.sample("gihjkl", 6))))
            passed.append(float(row % 2))
        prompt = (Message("user", f"Solve {seed}.{number}"),)
        out.append(TuneProblem(f"p/{seed}/{number}", prompt, codes, passed, [1.0] * 6))
    return out


def tuned(folder, out, data=None, config=QUICK, dtype=torch.float32, weights=ALL, **more):
    return tune(
        folder, data or problems(6, 0), out, config, weights,
        dtype=dtype, device="cpu", seed=3, **more,
    )  # fmt: skip


def scores(folder, adapters, programs=16, dtype=torch.float32):
    return TunedScores(folder, adapters, "tiny", programs_a_pass=programs, dtype=dtype)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return save_tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module", params=["decoder", "encoder"])
def run(request, tmp_path_factory, tiny_folder, bert):
    folder = tiny_folder if request.param == "decoder" else bert
    config = QUICK.model_copy(update={"epochs": 4})
    out = tmp_path_factory.mktemp(request.param)
    return folder, tuned(folder, out, problems(24, 0), config)


def test_tuning_lowers_the_loss_and_ranks_programs_of_unseen_problems(run):
    folder, adapters = run
    losses = [read_record(one).loss for one in adapters]
    assert len(losses) == 4
    assert losses[-1] < 0.5 * losses[0]
    unseen, right = problems(20, 1), 0
    with scores(folder, adapters) as source:
        for one in unseen:
            found = source.extract(one.prompt, one.codes)[:, -1]
            won = torch.tensor(one.passed) > 0.5
            right += int((found[won][:, None] > found[~won]).sum())
    assert right > 0.9 * 20 * 9


def test_a_score_is_the_same_alone_packed_and_as_it_was_in_training(run):
    folder, adapters = run
    prompt = (Message("user", "Solve it."),)
    with scores(folder, adapters) as many, scores(folder, adapters, programs=2) as few:
        together = many.extract(prompt, CODES)
        alone = torch.cat([few.extract(prompt, [code]) for code in CODES])
        in_twos = few.extract(prompt, CODES)
        many._adapted.set_adapter("adapter3")
        vectors = many._reader.in_one_pass(prompt, CODES, "mean")
        trained = many._heads[-1](vectors)
    close = {"rtol": 1e-3, "atol": 1e-4}
    assert together.shape == (len(CODES), 4)
    assert together.dtype == torch.float32
    torch.testing.assert_close(together, alone, **close)
    torch.testing.assert_close(together, in_twos, **close)
    torch.testing.assert_close(together[:, -1], trained.detach(), **close)


def test_the_columns_are_the_epochs_and_the_id_is_their_content(run):
    folder, adapters = run
    both, last = scores(folder, adapters[-2:]), scores(folder, adapters[-1:])
    assert both.id != last.id
    assert last.id == scores(folder, adapters[-1:]).id
    assert (both.dim, both.columns("mean"), both.columns("all")) == (2, [0, 1], [0, 1])
    prompt = (Message("user", "Solve it."),)
    with both, last:
        two, one = both.extract(prompt, CODES), last.extract(prompt, CODES)
    torch.testing.assert_close(two[:, 1:], one)
    assert not torch.allclose(two[:, 0], two[:, 1])
    assert all("lora_" in name for name in read_tensors(adapters[-1] / ADAPTER))


@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_a_cut_leaves_whole_epochs_and_the_rest_is_as_if_uncut(tmp_path, tiny_folder, bert, kind):
    folder = tiny_folder if kind == "decoder" else bert
    whole = tuned(folder, tmp_path / "whole")
    polls = iter(range(100))

    def cut():
        if next(polls) == 4:  # 3 updates an epoch: within the second
            raise Stopped

    with pytest.raises(Stopped):
        tuned(folder, tmp_path / "cut", check_stop=cut)
    (home,) = (tmp_path / "cut").iterdir()
    assert [one.name for one in home.iterdir()] == ["epoch-1"]
    (home / ".epoch-2.writing").mkdir()  # as a kill in the middle of writing leaves it
    (home / ".epoch-2.writing" / ADAPTER).write_bytes(b"half")
    progress = Progress()
    resumed = tuned(folder, tmp_path / "cut", progress=progress)
    assert (progress.done, progress.total) == (18, 18)
    prompt = (Message("user", "Solve it."),)
    with scores(folder, whole) as one, scores(folder, resumed) as other:
        found = [source.extract(prompt, CODES) for source in (one, other)]
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-6)
    assert sorted(one.name for one in home.iterdir()) == ["epoch-1", "epoch-2", "epoch-3"]
    assert not list(home.rglob("optimiser*"))


def test_what_is_done_is_not_done_again_and_other_data_are_another_run(tmp_path, tiny_folder):
    config = QUICK.model_copy(update={"epochs": 1})
    first = tuned(tiny_folder, tmp_path, config=config)

    def never():
        raise AssertionError("an update was made")

    assert tuned(tiny_folder, tmp_path, config=config, check_stop=never) == first
    other = tuned(tiny_folder, tmp_path, problems(4, 9), config)
    assert other != first
    assert content_hash(other[0]) != content_hash(first[0])


def test_the_same_seed_gives_the_same_adapters_and_leaves_torchs_randomness(tmp_path, tiny_folder):
    config = QUICK.model_copy(update={"epochs": 1})
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    one = tuned(tiny_folder, tmp_path / "one", config=config)
    assert torch.equal(torch.rand(3), expected)
    two = tuned(tiny_folder, tmp_path / "two", config=config)
    assert content_hash(one[0]) == content_hash(two[0])


@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_bfloat16_weights_with_checkpointing_and_the_last_token(tmp_path, tiny_folder, bert, kind):
    folder = tiny_folder if kind == "decoder" else bert
    config = QUICK.model_copy(
        update={"epochs": 2, "gradient_checkpointing": True, "pooling": "last"}
    )
    adapters = tuned(folder, tmp_path, problems(6, 0), config, torch.bfloat16)
    with scores(folder, adapters, dtype=torch.bfloat16) as source:
        found = source.extract((Message("user", "Solve it."),), CODES)
        lora = [p for name, p in source._adapted.named_parameters() if "lora_" in name]
        base = [p for name, p in source._adapted.named_parameters() if "lora_" not in name]
    assert found.isfinite().all()
    assert {p.dtype for p in lora} == {torch.float32}
    assert {p.dtype for p in base} == {torch.bfloat16}
    assert read_record(adapters[-1]).pooling == "last"


def test_checkpointing_changes_memory_not_the_gradient(tmp_path, tiny_folder):
    config = QUICK.model_copy(update={"epochs": 1, "dropout": 0.0})
    frugal = config.model_copy(update={"gradient_checkpointing": True})
    plain = tuned(tiny_folder, tmp_path, config=config)
    saved = tuned(tiny_folder, tmp_path, config=frugal)
    assert plain != saved
    prompt = (Message("user", "Solve it."),)
    with scores(tiny_folder, plain) as one, scores(tiny_folder, saved) as other:
        found = [source.extract(prompt, CODES) for source in (one, other)]
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)


def test_a_packed_row_is_the_prompt_and_each_code_as_if_alone(tiny_folder):
    reader = ProgramReader(tiny_folder, dtype=torch.float32, device="cpu")
    prompt, codes = [5, 6, 7], [[8, 9], [10, 11, 12]]
    with torch.inference_mode():
        states = reader.model(**packed_row(prompt, codes)).last_hidden_state[0]
        start = len(prompt)
        for code in codes:
            alone = reader.model(torch.tensor([prompt + code])).last_hidden_state[0]
            own = states[start : start + len(code)]
            torch.testing.assert_close(own, alone[len(prompt) :], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(states[: len(prompt)], alone[: len(prompt)])
            start += len(code)


def by_words(scores, passed, weights, parts):
    """The loss as its definition says it, program by program."""
    logits, n = scores.tolist(), len(passed)
    p = torch.sigmoid(scores).tolist()
    point = -sum(
        w * (torch.tensor(q if y else 1 - q)).log().item()
        for w, q, y in zip(weights, p, passed, strict=True)
    ) / sum(weights)
    pairs = [
        (weights[i] * weights[j], torch.tensor(1 + 2.718281828459045 ** (logits[j] - logits[i])))
        for i in range(n) for j in range(n) if passed[i] and not passed[j]
    ]  # fmt: skip
    if not pairs:
        return parts.pointwise * point
    pair = sum(w * gap.log().item() for w, gap in pairs) / sum(w for w, _ in pairs)
    mass = [w * 2.718281828459045**s for w, s in zip(weights, logits, strict=True)]
    listwise = -torch.tensor(sum(m for m, y in zip(mass, passed, strict=True) if y) / sum(mass))
    return parts.pointwise * point + parts.pairwise * pair - parts.listwise * (-listwise).log()


@given(
    st.lists(
        st.tuples(st.floats(-4, 4), st.booleans(), st.sampled_from([0.5, 1.0, 3.0])),
        min_size=1,
        max_size=6,
    )
)
def test_the_loss_is_what_its_words_say(programs):
    values, passed, weights = zip(*programs, strict=True)
    parts = LossWeights(0.7, 1.3, 0.4)
    logits = torch.tensor(values, dtype=torch.double)
    found = problem_loss(
        logits, torch.tensor(passed).double(), torch.tensor(weights).double(), parts
    )
    assert float(found) == pytest.approx(float(by_words(logits, passed, weights, parts)), abs=1e-5)


@given(st.lists(st.booleans(), max_size=20), st.integers(2, 12), st.integers(0, 5))
def test_a_draw_is_balanced_where_it_can_be_and_full(passed, count, seed):
    rows = balanced([float(one) for one in passed], count, random.Random(seed))
    assert len(rows) == len(set(rows)) == min(count, len(passed))
    won, lost = sum(passed[row] for row in rows), sum(not passed[row] for row in rows)
    assert abs(won - lost) <= 1 or won == sum(passed) or lost == len(passed) - sum(passed)


def test_problems_that_teach_nothing_are_left_out_and_refused_alone(tmp_path, tiny_folder):
    failing = TuneProblem("p", (Message("user", "x"),), ["a", "b"], [0.0, 0.0], [1.0, 1.0])
    ranking = LossWeights(0.0, 1.0, 0.0)
    with pytest.raises(TrainerError, match="none of 1 problems can teach"):
        tuned(tiny_folder, tmp_path, [failing], weights=ranking)
    config = QUICK.model_copy(update={"epochs": 1})
    (both,) = tuned(tiny_folder, tmp_path, [failing, *problems(3, 0)], config, weights=ranking)
    assert read_record(both).problems == 3
    (few,) = tuned(
        tiny_folder,
        tmp_path,
        [failing, *problems(3, 0)],
        config.model_copy(update={"max_problems": 2}),
    )
    assert read_record(few).problems == 2
    with pytest.raises(ValueError, match="weight must be above 0"):
        TuneProblem("p", (), ["a"], [1.0], [0.0])


def test_missing_models_and_broken_adapters_are_one_clear_line(tmp_path, tiny_folder, bert):
    with pytest.raises(WeightsError):
        tuned(tmp_path, tmp_path / "out")
    with pytest.raises(CheckpointError, match="no whole epoch"):
        scores(tiny_folder, [tmp_path])
    config = QUICK.model_copy(update={"epochs": 1})
    adapters = tuned(tiny_folder, tmp_path / "out", problems(2, 0), config)
    with (
        pytest.raises(CheckpointError, match="do not fit"),
        scores(bert, adapters),
    ):
        pass
