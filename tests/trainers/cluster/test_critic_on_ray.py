"""The critic's samples, labels, runs and features on two nodes are those of one machine."""

import threading
import time
from collections import Counter
from functools import partial

import pytest
import torch
from cluster_work import open_engine, open_engine_that_dies
from safetensors.torch import load_file
from scripted import adder, context_in

from memory.maintenance import verify
from memory.records import SampleRow
from sandbox import Limits, Program, Word, tests_from_json
from trainers.clock import Clock
from trainers.cluster.execution import ClusterSandbox
from trainers.cluster.generation import ClusterGenerator
from trainers.cluster_settings import ClusterConfig
from trainers.config import GeneratorConfig, TrainerSettings
from trainers.critic.features import HiddenStates
from trainers.critic.pipeline import gather
from trainers.critic.sampling import Asked
from trainers.critic.sources import Engines
from trainers.critic.spread import SpreadFeatures
from trainers.generators.base import Message, Request, SamplingParams
from trainers.samples import SampleSource, Want

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(900)]

SOURCE = SampleSource.of("seeded/1", "visible1", GeneratorConfig())
PROBLEMS = [adder(number) for number in range(1, 7)]
WANTS = [Want(problem, 12) for problem in PROBLEMS]
ASKED = Asked(WANTS, SOURCE, "visible1")


def tell(notice: str) -> None:
    pass


def settings(**cluster) -> TrainerSettings:
    return TrainerSettings.model_validate(
        {
            "critic": {"generated_inputs": False, "tuning": "frozen", "agreement_inputs": 6},
            "sandbox": {"workers": 1},
            "cluster": cluster,
        }
    )


def tiny(folder):
    return HiddenStates(folder, "tiny", programs_a_pass=16, dtype=torch.float32)


def start(folder, **cluster):
    folder.mkdir()
    context = context_in(folder, settings(**cluster))
    context.store.add_problems(PROBLEMS, "by hand")
    return context


def on_ray(config, tiny_folder, opener=open_engine, **more) -> Engines:
    return Engines(
        lambda context: ClusterGenerator(config, "seeded/1", partial(opener, **more), 4, tell),
        lambda context: SpreadFeatures(config, tiny(tiny_folder), partial(tiny, tiny_folder), tell),
    )


def here(tiny_folder) -> Engines:
    return Engines(
        lambda context: open_engine(context.state_dir), lambda context: tiny(tiny_folder)
    )


def gathered(folder, engines, during=None, copy_from=None, **cluster):
    """A context whose samples were asked for, labelled, executed and read, and what is known."""
    context = start(folder, **cluster)
    if copy_from is not None:
        context.store.add_samples(copies(copy_from))
    watcher = threading.Thread(target=during or (lambda context: None), args=(context,))
    watcher.start()
    found = gather(context, ASKED, engines, Clock())
    watcher.join()
    assert verify(folder) == []
    return context, found


def copies(context) -> list[SampleRow]:
    columns = "problem_id, generator_id, protocol, params_hash, idx, seed, completion, code, "
    columns += "program_hash, tokens, logprob, finish_reason, stage_run_id"
    found = context.store.query(f"SELECT {columns} FROM samples")
    return [SampleRow(**row, params=SOURCE.params) for row in found]


def stored(context) -> dict[str, list[dict[str, object]]]:
    """Verdicts and behaviours, without what takes another time on every run."""
    verdicts = "program_hash, tests_hash, sandbox_version, sandbox_level, verdict, failure"
    return {
        "verdicts": context.store.query(f"SELECT {verdicts} FROM verdicts ORDER BY 1, 2"),
        "behaviours": context.store.query("SELECT * FROM behaviours ORDER BY 1, 2"),
    }


def vectors(context) -> dict[str, bytes]:
    """By feature key."""
    found = {}
    for shard in (context.state_dir / "features").rglob("*.safetensors"):
        tensors = load_file(shard)
        for key, vector in zip(tensors["keys"], tensors["features"], strict=True):
            found[key.numpy().tobytes().hex()] = vector.numpy().tobytes()
    return found


def floats(vector: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(vector), dtype=torch.float16).float()


def written(context) -> Counter[tuple[str, str]]:
    """Which texts were written for which problem, and how often."""
    found = context.store.query("SELECT problem_id, completion FROM samples")
    return Counter((row["problem_id"], row["completion"]) for row in found)


def check_complete(context) -> None:
    """Every sample is there once, and judged."""
    rows = context.store.query("SELECT problem_id, idx FROM samples ORDER BY 1, 2")
    assert [(row["problem_id"], row["idx"]) for row in rows] == [
        (want.problem.id, index) for want in WANTS for index in range(want.count)
    ]
    unjudged = "SELECT 1 FROM samples x JOIN problems p ON p.id = x.problem_id WHERE NOT EXISTS "
    unjudged += "(SELECT 1 FROM verdicts v WHERE v.program_hash = x.program_hash "
    unjudged += "AND v.tests_hash = p.tests_hash)"
    assert context.store.query(unjudged) == []


@pytest.fixture(scope="module")
def whole(tmp_path_factory, cluster, tiny_folder):
    """One pass on two nodes that nothing disturbs."""
    cluster.restore()
    config = ClusterConfig(engine="ray", address=cluster.address, start_timeout_s=120)
    folder = tmp_path_factory.mktemp("whole") / "state"
    return gathered(folder, on_ray(config, tiny_folder), **config.model_dump())


def test_labels_runs_and_features_are_those_of_one_machine(whole, tmp_path, tiny_folder):
    spread, found = whole
    check_complete(spread)
    local, alone = gathered(tmp_path / "local", here(tiny_folder), copy_from=spread)
    assert stored(spread) == stored(local)
    assert {row["verdict"] for row in stored(local)["verdicts"]} >= {"passed", "failed", "error"}
    assert vectors(spread) == vectors(local)
    assert len(vectors(local)) > 20
    for one, other in zip(found.surveys, alone.surveys, strict=True):
        assert (one.passed == other.passed).all()
        assert found.executed[one.problem_id].outcomes == alone.executed[one.problem_id].outcomes


def test_a_node_killed_in_the_middle_loses_and_doubles_nothing(
    whole, two, config, tmp_path, tiny_folder
):
    done = []

    def kill_at_a_third(context) -> None:
        while context.progress.phase != "sample and label" or context.progress.done < 24:
            time.sleep(0.01)
        done.append(context.progress.done)
        two.kill()

    engines = on_ray(config, tiny_folder, delay_s=0.1)
    cut, _ = gathered(tmp_path / "cut", engines, kill_at_a_third, **config.model_dump())
    assert done[0] < 72
    check_complete(cut)
    assert stored(cut) == stored(whole[0])
    assert written(cut) == written(whole[0])
    ours, theirs = vectors(cut), vectors(whole[0])
    # Of programs with one normal form the first that came stands for all, and that may differ.
    assert len(ours) == len(theirs)
    for key in ours.keys() & theirs.keys():  # another neighbour in a row, another rounding
        torch.testing.assert_close(floats(ours[key]), floats(theirs[key]), rtol=2e-3, atol=1e-6)
    notices = cut.store.query("SELECT message FROM events WHERE kind = 'cluster.notice'")
    assert any("lost a worker" in row["message"] for row in notices)


def test_an_engine_that_dies_on_its_node_is_started_anew(whole, config, tmp_path, tiny_folder):
    engines = on_ray(config, tiny_folder, open_engine_that_dies, marker=tmp_path / "died")
    context, _ = gathered(tmp_path / "state", engines, **config.model_dump())
    assert (tmp_path / "died").exists()
    check_complete(context)
    assert written(context) == written(whole[0])


def test_infill_and_scores_come_from_the_nodes_too(config):
    generator = ClusterGenerator(config, "seeded/1", open_engine, 4, tell)
    with generator:
        infilled = list(generator.infill("# adds 3\n", "", 3, SamplingParams(seed=1)))
        assert len(infilled) == 3
        assert generator.score((Message("user", "x"),), ["a", "bcd"]) == [-1.0, -3.0]
        asked = [Request("a", (Message("user", "adds 1."),), n=5)]
        again = [sorted(one.text for one in generator.generate(asked, SamplingParams(seed=2)))
                 for _ in range(2)]  # fmt: skip
        assert again[0] == again[1]


def test_what_the_programs_raise_is_raised_after_the_verdicts_before(config):
    tests = tests_from_json(PROBLEMS[0].tests)

    def programs():
        for number in range(5):
            yield Program(str(number), "def add(x):\n    return x + 1", tests)
        raise LookupError("the reader's own")

    found = []
    with ClusterSandbox(config, Limits(), tell) as sandbox:
        with pytest.raises(LookupError, match="the reader's own"):
            found.extend(sandbox.run_many(programs()))
        left = sandbox.run_many(Program(str(i), "add = abs", tests) for i in range(1000))
        next(left)
        left.close()  # left in the middle, it can go on
        again = list(sandbox.run_many([Program("x", "def add(x):\n    return x", tests)]))
    assert sorted(one.key for one in found) == list("01234")
    assert {one.word for one in found} == {Word.PASSED}
    assert [(one.key, one.word) for one in again] == [("x", Word.FAILED)]
