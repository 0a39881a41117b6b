"""Does labelling slow sampling down? Times the same requests with the sandbox off and on.

Run: python scripts/bench_overlap.py --problems 16 --samples 4 --blocks 2
Weights are looked for where KENT_WEIGHTS says, else in weights/.

Blocks alternate (off, on, on, off, ...), so that a machine that drifts slows both. The texts of two
blocks differ in length even with one seed, since parallel batches are not repeatable: the ratio is
of seconds a token. One JSON document goes to standard output, progress to standard error.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memory.records import ProblemRow
from memory.store import Store
from sandbox import Sandbox
from trainers.config import GeneratorConfig, TasksConfig, TrainerSettings
from trainers.generators.base import Generator, Request, SamplingParams
from trainers.generators.prompts import solve_prompt
from trainers.generators.weights import default_weights_dir
from trainers.labelling import sample_and_label
from trainers.samples import SampleSource, Want
from trainers.stage import StageContext
from trainers.stage_generator import open_generator
from trainers.tasks import load_problems

PROMPT_KIND = "visible1"


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--backend", default="auto", help="auto, llama.cpp, vllm or openai")
    parser.add_argument("--model", default="qwen2.5-coder-0.5b-instruct")
    parser.add_argument("--train", default="auto", help="the problem set, as in tasks.train")
    parser.add_argument("--problems", type=int, default=16)
    parser.add_argument("--samples", type=int, default=4, help="of each problem")
    parser.add_argument("--blocks", type=int, default=2, help="pairs of off and on")
    asked = parser.parse_args()
    settings = TrainerSettings(
        weights_dir=default_weights_dir(os.environ),
        generator=GeneratorConfig.model_validate({"backend": asked.backend, "model": asked.model}),
        tasks=TasksConfig.model_validate({"train": asked.train}),
    )
    with tempfile.TemporaryDirectory() as folder:
        print(
            json.dumps(
                measure(settings, Path(folder), asked.problems, asked.samples, asked.blocks),
                indent=2,
            )
        )


def measure(
    settings: TrainerSettings, folder: Path, problems: int, samples: int, blocks: int
) -> dict[str, Any]:
    """Run all blocks with one engine and one sandbox."""
    rows = load_problems(settings.tasks, os.environ, also=()).rows
    rows = [row for row in rows if row.split == "train"][:problems]
    found: list[dict[str, Any]] = []
    with ExitStack() as stack:
        context = stack.enter_context(_context(folder / "engine", settings, rows))
        sandbox = stack.enter_context(Sandbox())
        generator = stack.enter_context(open_generator(context))
        source = SampleSource.of(generator.id, PROMPT_KIND, settings.generator)
        bench = _Bench(generator, sandbox, settings, source, rows, samples)
        bench.alone(seed=-1)  # warm-up
        for pair in range(blocks):
            for on in (False, True) if pair % 2 == 0 else (True, False):
                block = bench.together(folder / f"{pair}", pair) if on else bench.alone(pair)
                found.append({"labelling": on, **block})
                print(json.dumps(found[-1]), file=sys.stderr, flush=True)
    return {"generator": generator.id, "blocks": found, **_summary(found)}


@dataclass(frozen=True)
class _Bench:
    generator: Generator
    sandbox: Sandbox
    settings: TrainerSettings
    source: SampleSource
    problems: list[ProblemRow]
    samples: int

    def alone(self, seed: int) -> dict[str, Any]:
        """The generator as fast as it goes, its answers dropped."""
        requests = [
            Request(row.id, solve_prompt(row, PROMPT_KIND), self.samples) for row in self.problems
        ]
        params = SamplingParams(**self.source.params, seed=abs(seed))
        started = time.monotonic()
        answers = self.generator.generate(iter(requests), params)
        tokens = [completion.tokens for completion in answers]
        seconds = time.monotonic() - started
        return {"seconds": seconds, "tokens": sum(tokens), "samples": len(tokens)}

    def together(self, folder: Path, seed: int) -> dict[str, Any]:
        """The same requests, stored and judged meanwhile."""
        wants = [Want(row, self.samples) for row in self.problems]
        with _context(folder, self.settings, self.problems) as context:
            report = sample_and_label(
                context,
                wants,
                self.source,
                self.generator,
                self.sandbox,
                prompt_kind=PROMPT_KIND,
                seed=seed,
            )
        return {
            "seconds": report.seconds,
            "tokens": report.tokens,
            "samples": report.samples,
            "seconds_until_last_sample": report.sampling_s,
            "programs_run": report.programs_run,
            "not_judged": report.not_judged,
        }


def _summary(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    ms = {}
    for on in (False, True):
        chosen = [block for block in blocks if block["labelling"] == on]
        seconds = sum(block["seconds"] for block in chosen)
        ms[on] = 1000 * seconds / sum(block["tokens"] for block in chosen)
    return {
        "ms_a_token_alone": ms[False],
        "ms_a_token_with_labelling": ms[True],
        "ratio": ms[True] / ms[False],
    }


@contextmanager
def _context(
    folder: Path, settings: TrainerSettings, problems: list[ProblemRow]
) -> Iterator[StageContext]:
    """A stage context with an empty store of its own."""
    with Store.open(folder / "kent.db") as store:
        store.add_problems(problems, "benchmark")
        (folder / "logs").mkdir()
        round_id = store.open_round(seed=0, config={}, code_version="benchmark").id
        run = store.begin_stage_run(round_id, "critic", pid=None, pid_start=None)
        yield StageContext(store, settings, folder, round_id, run.id, seed=0)


if __name__ == "__main__":
    main()
