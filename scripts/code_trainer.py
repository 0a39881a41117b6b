#!/usr/bin/env python
"""Practise repair on the train tasks of a state directory, round after round (seed: phase 4).

    .venv/bin/python scripts/code_trainer.py --config kent.toml --rounds 5

What is learned lies in the store after every task, as in `kent round code`, which fits a version,
gates it and measures it too. Run that first: it brings the tasks in.
"""

import argparse
import json
from pathlib import Path

from kent.config import load_config
from memory.hologram.container import HologramContainer
from memory.store import Store
from sandbox import Sandbox
from trainers.code_trainer import versions
from trainers.code_trainer.apart import SEED
from trainers.code_trainer.curriculum import CodeCurriculum
from trainers.code_trainer.sources import read_tasks, tasks_of
from trainers.code_trainer.trainer import CodeTrainer


def main() -> None:
    """Run the rounds and print how they went as one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    config = load_config(given.config)
    with Store.open(config.state_dir / "kent.db", create=False) as store, Sandbox() as sandbox:
        tasks = read_tasks(store, tasks_of(store, "train"))
        container = HologramContainer(store, config.code.dimensions, SEED)
        knowledge = versions.load(config.state_dir, store, versions.in_use(store), container)
        trainer = CodeTrainer(store, knowledge, sandbox, config.code, config.seed)
        told = trainer.run_continuous(CodeCurriculum.of(tasks), given.rounds)
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
