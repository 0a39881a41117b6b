"""Sampling and labelling at once: nothing is lost, nothing is done twice, whatever happens."""

import itertools
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted import ScriptedGenerator, adder, adder_programs, context_in

from sandbox import Sandbox, Verdict, Word
from trainers.config import GeneratorConfig
from trainers.errors import GeneratorError
from trainers.labelling import sample_and_label
from trainers.samples import SampleSource, Want
from trainers.stage import Stopped


class CountingSandbox(Sandbox):
    """The real sandbox, which also remembers what it was given."""

    def __init__(self) -> None:
        super().__init__(workers=2)
        self.ran: list[str] = []

    def run_many(self, programs):
        def counted():
            for program in programs:
                self.ran.append(program.key)
                yield program

        yield from super().run_many(counted())


@pytest.fixture(scope="module")
def sandbox():
    with CountingSandbox() as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def forget(sandbox):
    sandbox.ran.clear()


SOURCE = SampleSource.of("scripted/1", "visible1", GeneratorConfig())


def label(context, wants, generator, sandbox, seed=0):
    return sample_and_label(
        context, wants, SOURCE, generator, sandbox, prompt_kind="visible1", seed=seed
    )


def start(folder, problems, **more):
    context = context_in(folder, **more)
    context.store.add_problems(problems, "by hand")
    return context


def scripted(problems, **more):
    programs = {row.id: adder_programs(int(row.id.split("/")[1])) for row in problems}
    return ScriptedGenerator(programs, **more)


def labelled(context, sandbox):
    return context.store.labelled(
        generator_id=SOURCE.generator_id,
        protocol=SOURCE.protocol,
        sandbox_version=sandbox.version,
        level=sandbox.level,
    )


def check_complete(context, wants, sandbox):
    """Every wanted sample is there once and has its one, right verdict."""
    rows = labelled(context, sandbox)
    found = Counter((one.sample.problem_id, one.sample.idx) for one in rows)
    expected = {(want.problem.id, idx) for want in wants for idx in range(want.count)}
    assert set(found) == expected
    assert set(found.values()) <= {1}
    for one in rows:
        number = int(one.sample.problem_id.split("/")[1])
        right = one.sample.code.strip() in (adder_programs(number)[0], adder_programs(number)[4])
        assert one.passed == right


def test_all_samples_are_stored_and_judged_and_each_program_runs_once(tmp_path, sandbox):
    problems = [adder(number) for number in range(1, 5)]
    context, generator = start(tmp_path, problems), scripted(problems)
    wants = [Want(row, 12) for row in problems]
    report = label(context, wants, generator, sandbox)
    check_complete(context, wants, sandbox)
    assert (report.samples, report.tokens, report.not_judged) == (48, 480, 0)
    assert report.programs_run == len(set(sandbox.ran)) == len(sandbox.ran) < 48
    assert (context.progress.done, context.progress.total) == (48, 48)


def test_a_second_call_asks_for_nothing_and_runs_nothing(tmp_path, sandbox):
    problems = [adder(1), adder(2)]
    context, generator = start(tmp_path, problems), scripted(problems)
    wants = [Want(row, 5) for row in problems]
    label(context, wants, generator, sandbox)
    sandbox.ran.clear()
    generator.asked.clear()
    report = label(context, wants, generator, sandbox, seed=1)
    assert not sandbox.ran
    assert not generator.asked
    assert (report.samples, report.programs_run) == (0, 0)
    assert (context.progress.done, context.progress.total) == (10, 10)


def test_a_higher_target_asks_only_for_the_difference(tmp_path, sandbox):
    context, generator = start(tmp_path, [adder(1)]), scripted([adder(1)])
    label(context, [Want(adder(1), 3)], generator, sandbox)
    label(context, [Want(adder(1), 8)], generator, sandbox, seed=1)
    assert generator.asked == [("adder/1", 3), ("adder/1", 5)]
    check_complete(context, [Want(adder(1), 8)], sandbox)


def test_what_was_yielded_before_the_generator_died_is_kept_and_judged(tmp_path, sandbox):
    problems = [adder(number) for number in range(1, 4)]
    context = start(tmp_path, problems)
    wants = [Want(row, 6) for row in problems]
    with pytest.raises(GeneratorError, match="the engine died"):
        label(context, wants, scripted(problems, dies_after=7), sandbox)
    assert len(labelled(context, sandbox)) == 7
    label(context, wants, scripted(problems), sandbox, seed=1)
    check_complete(context, wants, sandbox)


def test_a_completion_that_nobody_asked_for_is_refused(tmp_path, sandbox):
    context = start(tmp_path, [adder(1)])
    generator = scripted([adder(1)])
    generator.generate = lambda requests, params: iter(
        [
            *ScriptedGenerator.generate(generator, requests, params),
            *ScriptedGenerator.generate(generator, [], params),
            *itertools.islice(
                ScriptedGenerator.generate(scripted([adder(1)]), _one("adder/1"), params), 1
            ),
        ]
    )
    with pytest.raises(GeneratorError, match="nobody asked"):
        label(context, [Want(adder(1), 2)], generator, sandbox)
    assert len(labelled(context, sandbox)) == 2


def _one(key):
    from trainers.generators.base import Request

    return [Request(key, ())]


def test_too_few_completions_are_an_error_that_loses_nothing(tmp_path, sandbox):
    context, generator = start(tmp_path, [adder(1)]), scripted([adder(1)])
    whole = generator.generate
    generator.generate = lambda requests, params: itertools.islice(whole(requests, params), 3)
    with pytest.raises(GeneratorError, match="2 completions short"):
        label(context, [Want(adder(1), 5)], generator, sandbox)
    assert len(labelled(context, sandbox)) == 3


def test_stop_keeps_what_is_finished_and_the_next_call_goes_on(tmp_path, sandbox):
    problems = [adder(number) for number in range(1, 6)]
    polls = itertools.count()
    context = start(tmp_path, problems, stop_requested=lambda: next(polls) > 20)
    wants = [Want(row, 20) for row in problems]
    with pytest.raises(Stopped):
        label(context, wants, scripted(problems, delay_s=0.01), sandbox)
    stored = context.store.query("SELECT COUNT(*) AS n FROM samples")[0]["n"]
    assert 0 < stored < 100
    context.stop_requested = lambda: False
    label(context, wants, scripted(problems), sandbox, seed=1)
    check_complete(context, wants, sandbox)
    assert len(sandbox.ran) == len(set(sandbox.ran))


def test_samples_that_lost_their_verdicts_are_judged_without_sampling(tmp_path, sandbox):
    context, generator = start(tmp_path, [adder(1)]), scripted([adder(1)])

    class Blind(CountingSandbox):
        def run_many(self, programs):
            for program in programs:
                yield Verdict(program.key, Word.NOT_JUDGED, level=self.level, version=self.version)

    with Blind() as blind:
        report = label(context, [Want(adder(1), 6)], generator, blind)
    assert report.not_judged > 0
    assert not labelled(context, sandbox)
    (event,) = context.store.events(level="warning")
    assert event["kind"] == "labelling.not_judged"
    label(context, [Want(adder(1), 6)], generator, sandbox)
    check_complete(context, [Want(adder(1), 6)], sandbox)
    assert generator.asked == [("adder/1", 6)]


def test_a_broken_sandbox_ends_the_call_and_keeps_the_samples(tmp_path, sandbox):
    context, generator = start(tmp_path, [adder(1)]), scripted([adder(1)])

    class Broken(CountingSandbox):
        def run_many(self, programs):
            yield from super().run_many(itertools.islice(programs, 1))
            raise RuntimeError("no more processes")

    with Broken() as broken, pytest.raises(RuntimeError, match="no more processes"):
        label(context, [Want(adder(1), 30)], generator, broken)
    assert len(labelled(context, sandbox)) >= 1
    label(context, [Want(adder(1), 30)], generator, sandbox, seed=1)
    check_complete(context, [Want(adder(1), 30)], sandbox)


def test_problems_that_share_tests_share_verdicts(tmp_path, sandbox):
    from dataclasses import replace

    twin = replace(adder(1), id="adder/01")
    context = start(tmp_path, [adder(1), twin])
    programs = {"adder/1": [adder_programs(1)[0]], "adder/01": [adder_programs(1)[0]]}
    report = label(
        context, [Want(adder(1), 3), Want(twin, 3)], ScriptedGenerator(programs), sandbox
    )
    assert report.programs_run == 1
    assert len(labelled(context, sandbox)) == 6


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    counts=st.lists(st.integers(1, 8), min_size=1, max_size=4),
    cuts=st.lists(
        st.tuples(st.sampled_from(["die", "stop"]), st.integers(0, 12)), min_size=0, max_size=3
    ),
)
def test_whatever_the_cuts_every_sample_is_once_and_every_program_runs_once(sandbox, counts, cuts):
    sandbox.ran.clear()
    problems = [adder(number) for number in range(1, len(counts) + 1)]
    wants = [Want(row, count) for row, count in zip(problems, counts, strict=True)]
    with TemporaryDirectory() as folder:
        context = start(Path(folder), problems)
        for seed, (how, moment) in enumerate(cuts):
            polls = itertools.count()
            context.stop_requested = lambda h=how, p=polls, m=moment: h == "stop" and next(p) > m
            dies_after = moment if how == "die" else None
            generator = scripted(problems, dies_after=dies_after, delay_s=0.001)
            try:
                label(context, wants, generator, sandbox, seed)
            except (GeneratorError, Stopped):
                continue
        context.stop_requested = lambda: False
        label(context, wants, scripted(problems), sandbox, seed=99)
        check_complete(context, wants, sandbox)
        assert len(sandbox.ran) == len(set(sandbox.ran))
        context.store.close()
