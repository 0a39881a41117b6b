"""The Python half of the stage with a scripted generator, the real sandbox and the real store."""

from contextlib import nullcontext
from dataclasses import dataclass, replace

import pytest
from scripted import ScriptedGenerator, adder, adder_programs, context_in

from memory.errors import SplitGuardError
from memory.repair_records import RepairPairRow
from sandbox import Sandbox
from trainers.clock import Clock
from trainers.config import TrainerSettings
from trainers.errors import GeneratorError
from trainers.fractal.python.figures import as_json
from trainers.fractal.python.part import run_python
from trainers.fractal.python.partners import Partners, SurestFirst
from trainers.generators.base import Completion, Infill
from trainers.labelling import sample_and_label
from trainers.problem_sets import ProblemSets
from trainers.samples import SampleSource, Want

SETTINGS = TrainerSettings.model_validate(
    {
        "fractal": {"python": {"flood": 3, "local": 2, "tries": 2, "tokens": 60, "parallel": 3}},
        "sandbox": {"workers": 2},
        "generator": {"max_tokens": 64},
    }
)
TRAIN = [adder(number, "train") for number in (2, 3, 4)]
TEST = [adder(number, "test") for number in (11, 12)]


@dataclass
class Coder(ScriptedGenerator):
    """Solutions by the number that the prompt names; a middle is always the right statement."""

    right: bool = False
    fail_on: str = ""

    def generate(self, requests, params):
        for request in requests:
            if isinstance(request, Infill):
                number = int(request.prefix.partition("adds ")[2].partition(".")[0])
                yield Completion(request.key, f"return x + {number}", 5, -1.0, "stop")
                continue
            text = " ".join(message.content for message in request.messages)
            number = int(text.rpartition("adds ")[2].partition(".")[0])
            if self.fail_on and self.fail_on in text:
                raise GeneratorError("the engine died")
            code = adder_programs(number)[0 if self.right else 1]
            yield Completion(request.key, f"```python\n{code}\n```", 10, -2.0, "stop")


@dataclass
class AddsOne:
    """An editor that knows one edit."""

    def edits(self, code, statement, evidence, count):
        number = int(statement.partition("adds ")[2].partition(".")[0])
        return [f"def add(x):\n    return x + {number}  # edited"][:count]


def with_python(**changes) -> TrainerSettings:
    """The settings with changes to the loop on Python."""
    fractal = SETTINGS.fractal
    python = fractal.python.model_copy(update=changes)
    return SETTINGS.model_copy(update={"fractal": fractal.model_copy(update={"python": python})})


def partners(editor=None) -> Partners:
    return Partners(
        lambda context: lambda: {} if editor is None else {"edit": editor},
        lambda context, name: nullcontext(SurestFirst()),
    )


def prepared(folder, settings=SETTINGS):
    """A context whose store has the problems and failing samples of the train ones."""
    context = context_in(folder, settings)
    context.store.add_problems([*TRAIN, *TEST], "test")
    generator = ScriptedGenerator({row.id: adder_programs(2)[1:3] for row in TRAIN})
    source = SampleSource.of(generator.id, "visible1", settings.generator)
    with Sandbox(workers=1) as sandbox:
        sample_and_label(
            context, [Want(row, 3) for row in TRAIN], source, generator, sandbox,
            prompt_kind="visible1", seed=1,
        )  # fmt: skip
    return context


def run(context, generator, editor=None, **more):
    sets = ProblemSets("adder", TRAIN, [], TEST)
    found = run_python(context, sets, lambda _: generator, partners(editor), Clock(), **more)
    return as_json(found)


def test_practice_repairs_train_problems_and_fills_the_memory(tmp_path):
    context = prepared(tmp_path)
    found = run(context, Coder({}), AddsOne())
    assert found["practice"]["tried"] == 3
    assert found["practice"]["repaired"] == 3
    pairs = context.store.repair_pairs()
    assert pairs
    assert {pair.row.problem_id for pair in pairs} <= {row.id for row in TRAIN}
    assert {pair.row.change for pair in pairs} <= {"infill", "rest", "rewrite", "edit"}
    for pair in pairs:
        first, last = pair.row.span
        assert 1 <= first <= last <= len(pair.broken.splitlines())
    assert context.store.query("SELECT count(*) AS n FROM observations")[0]["n"] > 0
    verdicts = context.store.query(
        "SELECT v.verdict FROM repair_pairs r JOIN samples x ON x.id = r.fixed_sample "
        "JOIN problems p ON p.id = x.problem_id JOIN verdicts v "
        "ON v.program_hash = x.program_hash AND v.tests_hash = p.tests_hash"
    )
    assert {row["verdict"] for row in verdicts} == {"passed"}


def test_the_store_refuses_pairs_of_test_problems(tmp_path):
    context = prepared(tmp_path)
    with pytest.raises(SplitGuardError):
        context.store.add_repair_pairs([RepairPairRow(TEST[0].id, 1, 2, 0.9)])


def test_evaluation_sets_the_loop_beside_resampling_and_learns_nothing(tmp_path):
    context = prepared(tmp_path, with_python(arms=("infill",)))
    found = run(context, Coder({}), practise=False)["figures"]
    assert found["pass1"]["value"] == 0.0
    assert found["resample_equal_budget"]["value"] == 0.0
    assert found["pass_loop"]["value"] == 1.0
    assert found["difference"]["n"] == len(TEST)
    (arm,) = found["by_arm"]
    assert (arm["arm"], arm["right_of_passing"]["value"]) == ("infill", 1.0)
    assert context.store.repair_pairs() == []
    assert context.store.query("SELECT count(*) AS n FROM observations")[0]["n"] == 0
    rows = context.store.loops(mode="resampling")
    assert all(row.tokens >= SETTINGS.fractal.python.tokens for row in rows)


def test_a_flood_that_passes_needs_no_repair(tmp_path):
    context = prepared(tmp_path)
    found = run(context, Coder({}, right=True), practise=False)["figures"]
    assert found["pass_loop"]["value"] == found["resample_equal_budget"]["value"] == 1.0
    assert found["difference"]["value"] == 0.0
    assert found["by_arm"] == []
    assert {row.outcome for row in context.store.loops()} == {"first"}


def test_a_cut_round_goes_on_and_repeats_no_problem(tmp_path):
    context = prepared(tmp_path)
    context = replace(context, settings=with_python(parallel=1))
    with pytest.raises(GeneratorError, match="the engine died"):
        run(context, Coder({}, fail_on="adds 11"), AddsOne())
    before = context.store.loops(mode="training")
    assert len(before) == 3
    found = run(context, Coder({}), AddsOne())
    assert context.store.loops(mode="training") == before
    assert found["figures"]["pass_loop"]["n"] == len(TEST)


def test_an_edit_that_passes_what_is_seen_does_not_end_the_search(tmp_path):
    context = prepared(tmp_path, with_python(arms=("resample", "edit")))
    found = run(context, Coder({}), AddsOne(), practise=False)["figures"]
    assert found["pass_loop"]["value"] == 1.0
    loops = context.store.loops(mode="evaluation")
    assert all(
        {step["arm"] for step in row.trace["steps"]} >= {"edit", "resample"} for row in loops
    )


def test_a_protocol_that_runs_no_test_before_the_choice_says_why_nothing_is_repaired(tmp_path):
    seed = SETTINGS.critic.model_copy(update={"protocol": "seed"})
    context = prepared(tmp_path, SETTINGS.model_copy(update={"critic": seed}))
    found = run(context, Coder({}), practise=False)
    assert found["figures"]["pass_loop"]["n"] == 0
    (note,) = found["notes"]
    assert "protocol seed" in note and "visible1" in note
    shown = run(replace(context, settings=SETTINGS), Coder({}), practise=False)
    assert shown["notes"] == []


def test_edits_cost_nothing_so_practice_tries_them_before_it_renders(tmp_path):
    context = prepared(tmp_path)
    found = run(context, Coder({}), AddsOne())
    assert (found["practice"]["repaired"], found["practice"]["tokens"]) == (3, 0)
    assert found["practice"]["repair_pairs"]["edit"] >= 3


@dataclass
class Wrong:
    """An editor of many edits, none of which is right."""

    def edits(self, code, statement, evidence, count):
        return [f"def add(x):\n    return x - {number}" for number in range(1, 40)][:count]


def test_edits_that_come_to_nothing_are_counted_and_not_stored(tmp_path):
    context = prepared(tmp_path, with_python(arms=("edit",)))
    run(context, Coder({}), Wrong())
    (row, *_) = context.store.loops(mode="training")
    assert sum(step["new"] for step in row.trace["steps"] if step["arm"] == "edit") == 39
    assert {one["arm"] for one in row.trace["programs"]} == {"flood"}
    assert context.store.query("SELECT 1 FROM samples WHERE finish_reason = 'edit'") == []


@dataclass
class Lottery(ScriptedGenerator):
    """Whole programs that never come twice, whatever the seed, and are never right."""

    drawn: int = 100

    def generate(self, requests, params):
        for request in requests:
            self.drawn += 1
            code = f"def add(x):\n    return x - {self.drawn}"
            yield Completion(request.key, f"```python\n{code}\n```", 10, -2.0, "stop")


def test_the_loop_and_its_rival_draw_the_same_fresh_samples(tmp_path):
    context = prepared(tmp_path, with_python(arms=("resample", "edit")))
    run(context, Lottery({}), Wrong(), practise=False)
    drawn = {
        mode: {
            row.task: [one["code"] for one in row.trace["programs"]]
            for row in context.store.loops(mode=mode)
        }
        for mode in ("evaluation", "resampling")
    }
    assert drawn["evaluation"] == drawn["resampling"]
    assert all(len(codes) > SETTINGS.fractal.python.flood for codes in drawn["evaluation"].values())
