"""The two profiles: which defaults of ``kent.toml`` a kind of machine changes, in one table."""

from typing import Any, Literal

Profile = Literal["cpu", "gpu"]

# Keys are those of kent.toml; a value here stands between the built-in default and the file.
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    # A round in under 20 minutes on two cores with the 0.5B model at 30-40 tokens/s.
    "cpu": {
        "tasks": {"max_train": 40, "max_validation": 20, "max_test": 30},
        "critic": {
            "samples_per_problem": 4,
            "eval_samples_per_problem": 4,
            # Writing them takes as long as half of the samples; mutants of the shown call stay.
            "generated_inputs": False,
        },
        "generator": {"parallel": 16, "max_tokens": 256},
        # The flood is what the critic has sampled already.
        "fractal": {
            "synthetic": {
                "training": {"steps": 1500},
                "validation_tasks": 60,
                "test_tasks": 60,
            },
            "python": {
                "flood": 4,
                "tokens": 400,
                "tries": 3,
                "problems_per_round": 6,
                "eval_problems": 16,
            },
        },
        # Four minutes of a round at most.
        "code": {
            "injected": 120,
            "broken": 100,
            "new_tasks_per_round": 500,
            "tasks_per_round": 16,
            "eval_tasks": 16,
            "candidates": 800,
            "seconds": 3.0,
        },
        # Three minutes of a round; the first one also builds the data set.
        "ctm": {
            "preset": "cpu",
            "curriculum": "cpu",
            "data_samples": 12_000,
            "data_growth": 12_000,
            "data_most": 500_000,
            "data_functions": 30_000,
            "vocabulary": 4096,
            "seconds": 120,
            "batch_size": 32,
            "most_cells": 16_384,
            "eval_samples": 300,
            "tick_samples": 100,
        },
        "daemon": {"stage_time_limit_s": 6 * 3600},
    },
    # One card of 24 GB or more: the 1.5B model, 50 samples of every MBPP problem.
    "gpu": {
        "tasks": {"max_train": 0, "max_validation": 0, "max_test": 0},
        "critic": {
            "samples_per_problem": 50,
            "eval_samples_per_problem": 50,
            "feature_batch": 64,
        },
        "generator": {
            "backend": "vllm",
            "model": "qwen2.5-coder-1.5b-instruct",
            "parallel": 256,
            "max_tokens": 512,
        },
        "fractal": {
            "synthetic": {"training": {"steps": 6000, "tasks": 100_000}},
            "python": {
                "flood": 16,
                "local": 16,
                "tokens": 8000,
                "problems_per_round": 200,
                "parallel": 32,
            },
        },
        "ctm": {"preset": "spec", "curriculum": "gpu", "seconds": 3600, "batch_size": 128},
        "daemon": {"stage_time_limit_s": 24 * 3600},
    },
}
