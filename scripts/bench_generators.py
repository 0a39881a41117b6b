"""Tokens a second of each backend that is installed, on the same prompts, in one run.

Run: python scripts/bench_generators.py llama.cpp openvino --problems 8 --samples 4
Weights are looked for where KENT_WEIGHTS says, else in weights/. One JSON document goes to standard
output; the time to start an engine is given apart.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from memory.records import ProblemRow
from trainers.config import GeneratorConfig, TasksConfig
from trainers.generators import Request, SamplingParams, open_generator
from trainers.generators.prompts import solve_prompt
from trainers.generators.weights import default_weights_dir
from trainers.tasks import load_problems


def main() -> None:
    """Measure one backend after the other, the whole list as often as asked, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("backends", nargs="+", help="llama.cpp, openvino, vllm")
    parser.add_argument("--model", default="qwen2.5-coder-0.5b-instruct")
    parser.add_argument("--problems", type=int, default=8)
    parser.add_argument("--samples", type=int, default=4, help="of each problem")
    parser.add_argument("--parallel", type=int, default=32)
    parser.add_argument("--max-tokens", type=int, default=160)
    parser.add_argument("--repeat", type=int, default=1)
    asked = parser.parse_args()
    loaded = load_problems(TasksConfig(train="basics", hub=False), {}, also=())
    problems = loaded.rows[: asked.problems]
    runs = [
        measure(backend, problems, asked) for _ in range(asked.repeat) for backend in asked.backends
    ]
    print(json.dumps({"model": asked.model, "parallel": asked.parallel, "runs": runs}, indent=2))


def measure(backend: str, problems: list[ProblemRow], asked: argparse.Namespace) -> dict[str, Any]:
    """Start one engine and time the same samples."""
    config = GeneratorConfig.model_validate(
        {"backend": backend, "model": asked.model, "parallel": asked.parallel, "context": 1024}
    )
    requests = [Request(row.id, solve_prompt(row, "visible1"), asked.samples) for row in problems]
    params = SamplingParams(config.temperature, config.top_p, asked.max_tokens, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        with open_generator(
            config,
            state_dir=Path(folder),
            weights_dir=default_weights_dir(os.environ),
            log_path=Path(folder) / "engine.log",
            on_engine=lambda pid, start, role: None,
        ) as generator:
            started = time.monotonic()
            completions = list(generator.generate(requests, params))
            seconds = time.monotonic() - started
    tokens = sum(completion.tokens for completion in completions)
    return {
        "generator": generator.id,
        "start_s": round(started - begun, 1),
        "samples": len(completions),
        "tokens": tokens,
        "seconds": round(seconds, 2),
        "tokens_per_s": round(tokens / seconds, 1),
    }


if __name__ == "__main__":
    main()
