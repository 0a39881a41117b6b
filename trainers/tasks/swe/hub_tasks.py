"""Fetches a data set of SWE-bench's form from the Hugging Face Hub."""

from collections.abc import Iterator, Mapping

import httpx

from trainers.errors import TaskError
from trainers.tasks.files import Record
from trainers.tasks.hub import why_not

WANTED = ("instance_id", "repo", "base_commit", "patch", "problem_statement")


def fetch_records(name: str, env: Mapping[str, str]) -> Iterator[tuple[str, Record]]:
    """Fetch the records of data set ``name`` (OWNER/SET), each with a text that says where it is.

    Args:
        name: such as ``SWE-bench/SWE-bench_Lite``.
        env: the environment: ``HF_HUB_OFFLINE``, ``HF_ENDPOINT``.

    Raises:
        TaskError: the Hub is out of reach or refuses, or the set is not of SWE-bench's form.
    """
    refusal = why_not(env)
    if refusal:
        raise TaskError(
            f"{name}: no such file or folder here, and the Hub cannot be asked: {refusal}; "
            "name a file or a folder with tasks"
        )
    import datasets

    datasets.disable_progress_bars()
    try:
        splits = datasets.load_dataset(name)
    except (OSError, ValueError, RuntimeError, httpx.HTTPError) as error:
        raise TaskError(
            f"the Hub's data set {name} could not be fetched ({' '.join(str(error).split())}); "
            "try again, or name a file or a folder with tasks"
        ) from error
    for split, records in splits.items():
        missing = [field for field in WANTED if field not in records.column_names]
        if missing:
            raise TaskError(
                f"the Hub's data set {name} lacks {', '.join(missing)}: it is no set of SWE tasks"
            )
        for number, record in enumerate(records):
            yield f"{name}, {split} {number}", dict(record)
