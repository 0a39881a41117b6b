"""Labelling and features on two Ray nodes against one, and how many units one process hands out.

    python scripts/bench_cluster.py [--programs 4000] [--blocks 3] [--model FOLDER] [--json FILE]

It starts two nodes on this machine, each pinned to a processor of its own. In each block the same
programs are run by a sandbox of one worker without Ray, by one node, and by both; the features
likewise. The rates are medians over the blocks; starting nodes, engines and models is not in them.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from sandbox import Limits, Program, ProgramRunner, Sandbox, from_asserts
from scripts.ray_nodes import TwoNodes
from trainers.cluster.crew import Crew
from trainers.cluster.execution import ClusterSandbox
from trainers.cluster.job import Job, OnCards, Place
from trainers.cluster.stream import Stream
from trainers.cluster_settings import ClusterConfig
from trainers.critic.features import FeatureSource, HiddenStates, extract_each
from trainers.critic.spread import SpreadFeatures
from trainers.generators.base import Message

PROBLEMS, CODES_A_PROBLEM = 24, 8
Rates = dict[str, list[float]]


def main() -> int:
    """Measure, print a table."""
    options = _options()
    torch.set_num_threads(1)
    rates: Rates = {}
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="kent-bench-cluster-") as folder, ExitStack() as stack:
        model = options.model or _small_model(Path(folder))
        nodes = stack.enter_context(TwoNodes(pin=True))
        both = ClusterConfig(engine="ray", address=nodes.address)
        _measure(options, rates, both, model, "2 nodes")
        _units(rates, both, options.programs)
        nodes.kill()
        nodes.await_nodes(1)
        _measure(options, rates, both, model, "1 node")
        _measure_here(options, rates, model)
    found = {name: median(values) for name, values in rates.items()}
    _print(found, options, load)
    if options.json:
        options.json.write_text(json.dumps({"rates": rates, "load": load}))
    return 0


def _measure(
    options: argparse.Namespace, rates: Rates, config: ClusterConfig, model: Path, name: str
) -> None:
    with ClusterSandbox(config, Limits(), _say) as sandbox:
        _programs_rate(options, rates, sandbox, name)
    with SpreadFeatures(config, _open(model), partial(_open, model), _say) as source:
        _features_rate(options, rates, source, name)


def _measure_here(options: argparse.Namespace, rates: Rates, model: Path) -> None:
    """Without Ray, on one processor."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        with Sandbox(workers=1) as sandbox:
            _programs_rate(options, rates, sandbox, "no Ray")
        with _open(model) as source:
            _features_rate(options, rates, source, "no Ray")
    finally:
        os.sched_setaffinity(0, before)


def _programs_rate(
    options: argparse.Namespace, rates: Rates, sandbox: ProgramRunner, name: str
) -> None:
    list(sandbox.run_many(_programs(200, "warm")))
    for block in range(options.blocks):
        work, cpu = list(_programs(options.programs, str(block))), time.process_time()
        rate = _timed(partial(_ran, sandbox, work))
        cpu = time.process_time() - cpu
        rates.setdefault(f"programs, {name}, CPU", []).append(options.programs / cpu)
        rates.setdefault(f"programs, {name}", []).append(rate)


def _ran(sandbox: ProgramRunner, programs: Sequence[Program]) -> int:
    return sum(1 for _ in sandbox.run_many(programs))


def _features_rate(
    options: argparse.Namespace, rates: Rates, source: FeatureSource, name: str
) -> None:
    work = list(_feature_work())
    list(extract_each(source, work[:2]))
    for _ in range(options.blocks):
        rate = _timed(lambda: sum(len(found) for _, found in extract_each(source, work)))
        rates.setdefault(f"features, {name}", []).append(rate)


def _units(rates: Rates, config: ClusterConfig, count: int) -> None:
    """Units without any work in them: what one process can hand out and take back."""
    job: Job[int, int] = Job(
        name="nothing", identity="nothing", differs="", open=Nothing, places=OnCards(config),
        queued=64, threads=1,
    )  # fmt: skip
    with Crew(config, job) as crew:
        for _ in range(3):
            cpu = time.process_time()
            rate = _timed(lambda: sum(1 for _ in Stream(crew, iter(range(count))).results()))
            cpu = time.process_time() - cpu
            rates.setdefault("units without work", []).append(rate)
            rates.setdefault("units without work, CPU", []).append(count / cpu)


class Nothing:
    """Work that does nothing."""

    identity, capacity = "nothing", 1

    def __init__(self, place: Place) -> None: ...

    def do(self, unit: int) -> int:
        """Give the unit back."""
        return unit

    def close(self) -> None:
        """Nothing is open."""


def _timed(work: Callable[[], int]) -> float:
    """How many of what ``work`` counts were done in a second."""
    began = time.perf_counter()
    count = work()
    return count / (time.perf_counter() - began)


def _programs(count: int, mark: str) -> Iterator[Program]:
    """Programs as models write them: most pass or fail, some raise; each text once."""
    tests = from_asserts([f"assert f({x}) == {x * x + 1}" for x in range(1, 4)], entry_point="f")
    bodies = ("return x * x + 1", "return x * x", "total = 1\n    for i in range(x):\n"
              "        total += x\n    return total", "return y")  # fmt: skip
    for number in range(count):
        code = f"def f(x):\n    {bodies[number % len(bodies)]}\n# {mark} {number}\n"
        yield Program(f"{mark}/{number}", code, tests)


def _feature_work() -> Iterator[tuple[Sequence[Message], Sequence[str]]]:
    for problem in range(PROBLEMS):
        prompt = (Message("user", f"Write a function that adds {problem} to its argument. " * 6),)
        codes = [f"def add_{problem}(x):\n    return x + {problem}  # {number}\n" * 4
                 for number in range(CODES_A_PROBLEM)]  # fmt: skip
        yield prompt, codes


def _open(model: Path) -> FeatureSource:
    torch.set_num_threads(1)
    return HiddenStates(model, model.name, programs_a_pass=16, dtype=torch.float32)


def _small_model(folder: Path) -> Path:
    """A random decoder of 8 layers and width 256, in the format of the real ones."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2Model

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe = Tokenizer(models.BPE({token: i for i, token in enumerate(alphabet)}, []))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    chat = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}<|assistant|>"
    PreTrainedTokenizerFast(tokenizer_object=bpe, chat_template=chat).save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=256, hidden_size=256, intermediate_size=1024, num_hidden_layers=8,
        num_attention_heads=8, num_key_value_heads=2, max_position_embeddings=4096,
    )  # fmt: skip
    Qwen2Model(config).save_pretrained(folder)
    return folder


def _print(found: dict[str, float], options: argparse.Namespace, load: float) -> None:
    sizes = {"programs": options.programs, "features": PROBLEMS * CODES_A_PROBLEM}
    lines = [
        f"Two nodes on one machine, a processor each; load when it began: {load:.1f}.",
        f"Medians of {options.blocks} blocks; features: {options.model or 'a small random model'}.",
        "",
        "| what | n a block | no Ray, 1 processor | 1 node | 2 nodes | 2 nodes to 1 |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for what, size in sizes.items():
        here, one, two = (found[f"{what}, {name}"] for name in ("no Ray", "1 node", "2 nodes"))
        lines.append(
            f"| {what}/s | {size} | {here:.0f} | {one:.0f} | {two:.0f} | {two / one:.2f} |"
        )
    lines += [
        f"| units without work/s | {options.programs} | | | {found['units without work']:.0f} | |",
        "",
        "What the stage's own process does in a second of its CPU time, which other load does not "
        f"change: {found['units without work, CPU']:.0f} units without work, "
        f"{found['programs, 2 nodes, CPU']:.0f} programs handed to two nodes.",
    ]
    print("\n".join(lines))


def _say(notice: str) -> None:
    print(notice, file=sys.stderr)


def _options() -> Any:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--programs", type=int, default=4000)
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--model", type=Path, help="a Hugging Face folder to compute features with")
    parser.add_argument("--json", type=Path, help="also write all rates to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
