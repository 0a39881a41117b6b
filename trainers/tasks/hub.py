"""Fetches data sets from the Hugging Face Hub; that it is out of reach is found within seconds."""

from collections.abc import Mapping
from threading import Thread
from typing import Any

import httpx

from trainers.errors import TaskError

HUB_SETS = {
    "mbpp": ("google-research-datasets/mbpp", "full"),
    "humanevalplus": ("evalplus/humanevalplus", None),
    "mbppplus": ("evalplus/mbppplus", None),
    # codeparrot/apps is a script, which the datasets library no longer runs; this is its copy.
    "apps": ("metr-evals/apps", None),
}
# Sets of which only one of the Hub's splits is taken; the ids of APPS's two are the same.
HUB_SPLITS = {"apps": "test"}
PROBE_S = 3.0
_TRUE = {"1", "ON", "YES", "TRUE"}


def why_not(env: Mapping[str, str]) -> str | None:
    """Say why the Hub cannot be asked, or None where it answers."""
    if env.get("HF_HUB_OFFLINE", "").upper() in _TRUE:
        return "HF_HUB_OFFLINE is set"
    endpoint = env.get("HF_ENDPOINT", "https://huggingface.co")
    if not answers(endpoint):
        return f"{endpoint} does not answer within {PROBE_S:g} s"
    return None


def answers(endpoint: str, wait_s: float = PROBE_S) -> bool:
    """Tell whether ``endpoint`` answers an HTTP request within ``wait_s`` seconds."""
    found: list[bool] = []

    def ask() -> None:
        try:
            found.append(httpx.head(endpoint, timeout=wait_s).status_code < 400)
        except (httpx.HTTPError, httpx.InvalidURL):
            found.append(False)

    # In a thread of its own, since no timeout bounds the look-up of the host's name.
    asking = Thread(target=ask, name="hub-probe", daemon=True)
    asking.start()
    asking.join(wait_s)
    return bool(found and found[0])


def fetch(name: str) -> list[dict[str, Any]]:
    """Fetch every record of one of ``HUB_SETS``, its splits together or that of ``HUB_SPLITS``.

    Raises:
        TaskError: the Hub refused or the transfer broke off.
    """
    import datasets

    repository, subset = HUB_SETS[name]
    datasets.disable_progress_bars()
    try:
        splits = datasets.load_dataset(repository, subset)
    except (OSError, ValueError, RuntimeError, httpx.HTTPError) as error:
        raise TaskError(
            f"the Hub's data set {repository} could not be fetched ({error}); try again, "
            "or name a folder with the files in tasks.data_dir or KENT_DATA"
        ) from error
    wanted = HUB_SPLITS.get(name)
    taken = [split for name_of, split in splits.items() if wanted in (None, name_of)]
    return [dict(record) for split in taken for record in split]
