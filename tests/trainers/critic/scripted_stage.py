"""The critic stage on the built-in problems with a scripted generator and the tiny feature model.

Run as a program it is one attempt of the stage in its own process, for the tests that kill it:
``scripted_stage.py STATE_DIR TINY_MODEL_DIR``; exit 0 when the round's stage is done.
"""

import sys
from pathlib import Path

import torch
from scripted import ScriptedGenerator, context_in

from trainers.config import TrainerSettings
from trainers.critic.features import HiddenStates
from trainers.critic.stage import CriticStage
from trainers.tasks import load_problems

SETTINGS = TrainerSettings.model_validate(
    {
        "tasks": {"train": "basics", "max_train": 8, "max_validation": 6, "max_test": 6},
        "critic": {
            "samples_per_problem": 3,
            "eval_samples_per_problem": 4,
            "epochs": 4,
            "generated_inputs": False,
            "pooling": "mean",
        },
        "sandbox": {"workers": 2},
    }
)


def basics_programs(settings: TrainerSettings) -> dict[str, list[str]]:
    """Per problem its reference solution and some that are wrong in different ways."""
    loaded = load_problems(settings.tasks, {}, also=())
    return {
        row.id: [
            row.reference,
            row.reference + "\n# the same, said otherwise",
            f"def {row.entry_point}(*args):\n    return None",
            f"def {row.entry_point}(*args):\n    raise ValueError('no')",
            f"def {row.entry_point}(*args:\n    return",
        ]
        for row in loaded.rows
    }


def scripted_stage(tiny_folder: Path, programs: dict[str, list[str]] | None = None, **more):
    """The stage and its generator."""
    generator = ScriptedGenerator(programs or basics_programs(SETTINGS), **more)
    stage = CriticStage(
        open_generator=lambda context: generator,
        open_features=lambda context: HiddenStates(
            tiny_folder, "tiny", programs_a_pass=16, dtype=torch.float32
        ),
    )
    return stage, generator


def main(state_dir: str, tiny_folder: str) -> None:
    torch.set_num_threads(1)
    context = context_in(Path(state_dir), SETTINGS)
    stage, _ = scripted_stage(Path(tiny_folder), delay_s=0.002)
    result = stage.run(context)
    context.store.end_stage_run(context.stage_run_id, "done", metrics=result.metrics)
    context.store.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
