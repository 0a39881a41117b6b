"""Programs that import numpy: a zygote of their own, started when the first of them comes."""

import pytest
from sandbox_programs import RIGHT, program

from sandbox import Call, Limits, Program, Sandbox, Tests, Word

pytest.importorskip("numpy")
USES = "import numpy as np\ndef f(x): return np.int64(x) + 1"


def test_numpy_is_there_for_those_who_import_it(sandbox):
    assert sandbox.run(program(USES)).passed
    assert sandbox.run(program(RIGHT)).passed


def test_its_scalars_are_data_its_arrays_are_not(sandbox):
    verdict = sandbox.run(program("import numpy as np\ndef f(x): return np.array([x + 1])"))
    assert (verdict.word, verdict.failure.type) == (Word.ERROR, "NotDataError")


def test_nothing_else_of_the_environment_is_there(sandbox):
    for other in ("scipy", "pytest", "torch"):
        verdict = sandbox.run(program(f"import numpy\nimport {other}\n{RIGHT}"))
        assert verdict.failure.type == "ModuleNotFoundError", other


def test_its_random_numbers_repeat(sandbox):
    code = "import numpy as np\ndef f(): return float(np.random.rand())"
    tests = Tests("data", "f", calls=(Call((), 0),))
    told = {sandbox.run(Program("k", code, tests)).failure.text for _ in range(4)}
    assert len(told) == 1


def test_limits_count_the_program_not_the_library(sandbox):
    big = "import numpy as np\nb = np.ones(20_000_000)\n" + RIGHT
    huge = "import numpy as np\nb = np.ones(150_000_000)\n" + RIGHT
    assert sandbox.run(Program("k", big, program("").tests, Limits(memory_mb=256))).passed
    verdict = sandbox.run(Program("k", huge, program("").tests, Limits(memory_mb=256)))
    assert verdict.word is Word.OUT_OF_MEMORY


def test_both_kinds_in_one_stream():
    programs = [program(USES if i % 2 else RIGHT, key=str(i)) for i in range(30)]
    with Sandbox(workers=2) as box:
        verdicts = {verdict.key: verdict.passed for verdict in box.run_many(programs)}
    assert verdicts == {str(i): True for i in range(30)}


def test_cancel_reaches_both_kinds():
    loop = "\nwhile True: pass"
    with Sandbox(workers=1, limits=Limits(cpu_s=60)) as box:
        stream = box.run_many([program("import numpy" + loop), program(loop)])
        import threading

        threading.Timer(0.5, box.cancel).start()
        assert list(stream) == []
        assert box.run(program(USES)).passed
