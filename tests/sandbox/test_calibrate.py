"""Limits that a reference solution sets for its problem."""

from hypothesis import given
from hypothesis import strategies as st
from sandbox_programs import program

from sandbox import Limits, Sandbox, Verdict, Word, calibrate
from sandbox.calibrate import limits_from

SECONDS = st.floats(0, 100)


@given(SECONDS, st.floats(0, 4000), st.floats(0.5, 60), st.floats(1, 10))
def test_a_reference_always_fits_its_own_limits(cpu_s, peak_mb, base_s, wall_times):
    base = Limits(cpu_s=base_s, wall_s=base_s * wall_times)
    verdict = Verdict("k", Word.PASSED, cpu_s=cpu_s, peak_memory_mb=peak_mb)
    limits = limits_from([verdict], base)
    assert limits.cpu_s >= min(5 * cpu_s, 1) - 0.001
    assert limits.cpu_s >= min(5 * cpu_s, base_s) - 0.001
    assert limits.memory_mb >= max(base.memory_mb, 2 * peak_mb - 1)
    assert abs(limits.wall_s / limits.cpu_s - wall_times) < 0.05


def test_quick_problems_get_less_and_slow_ones_more():
    quick = program("def f(x): return x + 1", key="quick")
    slow = "import time\ndef f(x):\n    t = time.process_time()\n"
    slow = program(
        slow + "    while time.process_time() < t + 0.1: pass\n    return x + 1", key="slow"
    )
    wrong = program("def f(x): return x", key="wrong")
    with Sandbox(workers=2, limits=Limits(cpu_s=0.5, wall_s=5)) as box:
        found = calibrate(box, [quick, slow, wrong])
    assert found["quick"].cpu_s == 0.5  # never above what any program may have, if that is enough
    assert found["slow"].cpu_s >= 1.5
    assert "wrong" not in found
