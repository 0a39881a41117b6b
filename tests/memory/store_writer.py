"""A process that writes to a store and tells on standard output what was acknowledged.

Arguments: the database, a problem id, how many batches of five samples with their verdicts, and
after how many of them each a model is trained (0: none is).
"""

import json
import os
import sys
import time
from pathlib import Path

from store_rows import problem, sample, verdict

from memory.files import sha256_file, write_atomically
from memory.store import Store


def main(path: Path, problem_id: str, batches: int, model_every: int) -> None:
    with Store.open(path) as store:
        store.add_problems([problem(problem_id)], "by hand")
        round_id = store.open_round(seed=1, config={}, code_version="0").id
        run = store.begin_stage_run(round_id, "critic", pid=os.getpid(), pid_start=time.time())
        for batch in range(batches):
            rows = [
                sample(problem_id, batch * 5 + number, stage_run_id=run.id) for number in range(5)
            ]
            told = {
                "batch": batch,
                "new_samples": store.add_samples(rows),
                "new_verdicts": store.add_verdicts([verdict(row) for row in rows]),
            }
            if model_every and batch % model_every == 0:
                told["model"] = complete_model(store, run.id)
            store.beat(run.id, "sample", batch, batches, "batches")
            print(json.dumps(told), flush=True)


def complete_model(store: Store, stage_run_id: int) -> str:
    model = store.begin_model(
        "critic", {}, generator_id=None, parent=None, stage_run_id=stage_run_id, code_version="0"
    )
    rows = store.labelled(
        generator_id="gen", protocol="visible1/v1", sandbox_version="1", level="rlimits"
    )
    store.add_training_examples(model.id, [(row.sample.id, row.verdict_id) for row in rows])
    file = Path("checkpoints") / f"{model.id}.safetensors"
    write_atomically(store.path.parent / file, os.urandom(100_000))
    store.complete_model(model.id, file, sha256_file(store.path.parent / file))
    return model.id


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
