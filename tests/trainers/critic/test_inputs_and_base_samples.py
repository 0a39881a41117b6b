"""What is shared or asked for once: written inputs, and samples of a problem's stricter variant."""

from dataclasses import replace

from scripted import ScriptedGenerator, adder, context_in

from memory.records import SampleRow
from trainers.config import GeneratorConfig
from trainers.critic.base_samples import share_base_samples
from trainers.critic.generated_inputs import generated_calls, without_inputs, write_inputs
from trainers.samples import SampleSource, Want, missing_indexes, program_hash

KIND = "visible1"


def test_inputs_are_written_once_a_problem_and_an_empty_answer_counts(tmp_path):
    problems = [adder(1), adder(2)]
    context = context_in(tmp_path)
    context.store.add_problems(problems, "by hand")
    generator = ScriptedGenerator({"adder/1": ["add(7)\nadd(-2)"], "adder/2": ["no call"]})
    asked = without_inputs(context, problems, KIND, generator.id)
    assert [row.id for row in asked] == ["adder/1", "adder/2"]
    with generator:
        write_inputs(context, generator, asked, KIND, seed=1)
    assert without_inputs(context, problems, KIND, generator.id) == []
    found = generated_calls(context, problems, KIND, generator.id)
    assert [call.args for call in found["adder/1"]] == [(7,), (-2,)]
    assert found["adder/2"] == []
    with generator:  # the other prompt's answers are the same, and are kept as its own
        write_inputs(context, generator, problems, "seed", seed=1)
    assert without_inputs(context, problems, "seed", generator.id) == []


def test_inputs_of_another_prompt_or_generator_are_not_taken(tmp_path):
    problems = [adder(1)]
    context = context_in(tmp_path)
    context.store.add_problems(problems, "by hand")
    generator = ScriptedGenerator({"adder/1": ["add(7)"]})
    with generator:
        write_inputs(context, generator, problems, KIND, seed=1)
    assert generated_calls(context, problems, "seed", generator.id) == {"adder/1": []}
    assert generated_calls(context, problems, KIND, "other") == {"adder/1": []}
    assert without_inputs(context, problems, "seed", generator.id) == problems


def sampled(context, problem, count):
    source = SampleSource.of("scripted/1", KIND, GeneratorConfig())
    rows = [
        SampleRow(
            problem_id=problem.id, generator_id=source.generator_id, protocol=source.protocol,
            params=source.params, params_hash=source.params_hash, idx=i, seed=0,
            completion="x", code=f"x = {i}", program_hash=program_hash(f"x = {i}"), tokens=3,
            logprob=-1.0, finish_reason="stop", stage_run_id=context.stage_run_id,
        )
        for i in range(count)
    ]  # fmt: skip
    context.store.add_samples(rows)
    return source


def test_a_stricter_variant_takes_the_samples_of_its_base_where_the_prompt_is_the_same(tmp_path):
    base = adder(1, "test")
    plus = replace(base, id="adderplus/1", metadata={"base": base.id})
    other = replace(plus, id="adderplus/2", statement="Another text.")
    context = context_in(tmp_path)
    context.store.add_problems([base, plus, other], "by hand")
    source = sampled(context, base, 5)
    assert share_base_samples(context, [plus, other, base], source, 4) == 4
    assert share_base_samples(context, [plus, other, base], source, 4) == 0
    assert missing_indexes(context.store, [Want(plus, 4)], source) == {}
    assert missing_indexes(context.store, [Want(other, 1)], source) == {"adderplus/2": [0]}
