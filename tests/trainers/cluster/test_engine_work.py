"""An engine that many units share: each gets its own answers; failures reach all who wait."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cluster_work import Engine, open_engine
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.cluster.connection import Node
from trainers.cluster.engine_work import EngineWork, Sampling, Scoring
from trainers.cluster.generation import SAMPLES_A_UNIT, units_of
from trainers.cluster.job import Place
from trainers.errors import GeneratorError
from trainers.generators.base import Infill, Message, Request, SamplingParams

PLACE = Place(Node("n", "n", 1, 0), 0, 0, 0)


def request(key: str, number: int, seed: int | None, n: int = 1) -> Request:
    return Request(key, (Message("user", f"adds {number}."),), n=n, seed=seed)


class InFlight(Engine):
    """Keeps up to three requests before it answers, as a batching engine does."""

    def generate(self, requests, params):
        held, reader, more = [], iter(requests), True
        while more or held:
            while more and len(held) < 3:
                asked = next(reader, "end")
                if asked is None:
                    break
                if asked == "end":
                    more = False
                else:
                    held.append(asked)
            if held:
                yield from super().generate([held.pop()], params)


@pytest.mark.parametrize("kind", [Engine, InFlight])
def test_units_at_once_get_their_own_answers_and_seeds_decide(kind):
    work = EngineWork(lambda log_path: kind(delay_s=0.001), 4, PLACE)
    units = [
        Sampling(tuple(request(f"{unit}/{i}", unit, seed=100 * unit + i) for i in range(4)))
        for unit in range(12)
    ]
    with ThreadPoolExecutor(6) as pool:
        first, second = list(pool.map(work.do, units)), list(pool.map(work.do, units[::-1]))[::-1]
    assert first == second
    for unit, found in zip(units, first, strict=True):
        assert [one.key for one in found] == [one.key for one in unit.requests]
    work.close()


def test_scores_wait_for_the_run_and_come():
    work = EngineWork(lambda log_path: InFlight(delay_s=0.005), 4, PLACE)
    sampling = Sampling(tuple(request("a", 1, seed=i) for i in range(8)))
    with ThreadPoolExecutor(4) as pool:
        samples = [pool.submit(work.do, sampling) for _ in range(3)]
        scores = pool.submit(work.do, Scoring((Message("user", "x"),), ("ab", "c")))
        assert scores.result(timeout=30) == [-2.0, -1.0]
        assert [len(one.result(timeout=30)) for one in samples] == [8, 8, 8]
    work.close()


def test_a_dead_engine_is_told_to_all_who_wait():
    work = EngineWork(lambda log_path: Engine(dies_after=2), 4, PLACE)
    sampling = Sampling(tuple(request("a", 1, seed=i) for i in range(4)))
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(work.do, sampling) for _ in range(3)]
        for one in asked:
            with pytest.raises(GeneratorError, match="the engine died"):
                one.result(timeout=30)
    work.close()


def test_an_engine_opens_where_its_log_can_be_written():
    opened: list[Path] = []

    def opener(log_path: Path) -> Engine:
        log_path.write_text("booting")
        opened.append(log_path)
        return open_engine(log_path)

    EngineWork(opener, 4, PLACE).close()
    assert not opened[0].exists()


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 7)), max_size=8),
    idle=st.lists(st.integers(0, 8), max_size=4),
    seed=st.integers(0, 2**31 - 1),
)
def test_samples_have_fixed_seeds_however_they_are_cut(counts, idle, seed):
    asked: list[Request | Infill | None] = [request(key, 1, None, n) for key, n in counts]
    whole = [one for unit in units_of(asked, SamplingParams(seed=seed)) for one in unit.requests]
    for place in idle:
        asked.insert(min(place, len(asked)), None)
    cut = [unit for unit in units_of(asked, SamplingParams(seed=seed)) if unit is not None]
    assert [one for unit in cut for one in unit.requests] == whole
    assert all(1 <= len(unit.requests) <= SAMPLES_A_UNIT for unit in cut)
    assert len({(one.key, one.seed) for one in whole}) == sum(n for _, n in counts)
    assert all(one.n == 1 for one in whole)
