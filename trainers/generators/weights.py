"""Weights on the disk: where they lie and whether they are what they should be."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from memory.files import sha256_file
from trainers.errors import WeightsError
from trainers.generators.models import MODELS, ModelSource, model_source


@dataclass(frozen=True)
class WeightsStatus:
    """What lies on the disk of a known model; sizes in bytes."""

    source: ModelSource
    path: Path
    present: bool
    partial: int


def default_weights_dir(env: Mapping[str, str], otherwise: Path = Path("weights")) -> Path:
    """``KENT_WEIGHTS``, or ``otherwise``: by default ``weights/`` in the working directory.

    For what has no configuration, and for a node of a cluster, whose folder may be another than
    the one that the configuration of this machine names.
    """
    return Path(env.get("KENT_WEIGHTS") or otherwise)


def gguf_path(source: ModelSource, weights_dir: Path) -> Path:
    """Where a known model's file belongs."""
    return weights_dir / source.file


def part_path(path: Path) -> Path:
    """The unfinished download beside a file."""
    return path.with_name(f"{path.name}.part")


def status(weights_dir: Path) -> list[WeightsStatus]:
    """All known models and whether their file is there, without reading it."""
    found = []
    for source in MODELS.values():
        path = gguf_path(source, weights_dir)
        part = part_path(path)
        partial = part.stat().st_size if part.is_file() else 0
        found.append(WeightsStatus(source, path, path.is_file(), partial))
    return found


def find_weights(name: str, weights_dir: Path) -> Path:
    """The GGUF file, or the Hugging Face folder, that ``generator.model`` names.

    Raises:
        WeightsError: unknown name, or its file is missing or has the wrong size.
    """
    given = Path(name)
    if given.suffix == ".gguf" or given.is_dir():
        if not given.exists():
            raise WeightsError(f"{name} does not exist; name a GGUF file, a folder or a model")
        return given
    source = model_source(name)
    path = gguf_path(source, weights_dir)
    if not path.is_file():
        raise WeightsError(
            f"the weights of {name} are not in {weights_dir}: `kent model pull {name}`"
        )
    if path.stat().st_size != source.size:
        raise WeightsError(
            f"{path} has {path.stat().st_size} bytes where {source.size} belong: "
            f"remove it and `kent model pull {name}`"
        )
    return path


def verify(name: str, weights_dir: Path) -> Path:
    """Read a known model's file and compare its SHA-256.

    Raises:
        WeightsError: it is missing or not what it should be.
    """
    source = model_source(name)
    path = find_weights(name, weights_dir)
    check_hash(path, source)
    return path


def check_hash(path: Path, source: ModelSource) -> None:
    """Compare a file with what the table says.

    Raises:
        WeightsError: it is another file.
    """
    found = sha256_file(path)
    if found != source.sha256:
        raise WeightsError(
            f"{path} is not {source.name}: its SHA-256 is {found[:12]}…, not "
            f"{source.sha256[:12]}…; remove it and `kent model pull {source.name}`"
        )


def identity(name: str, weights_dir: Path) -> str:
    """What samples are stored with: the model's name, quantisation and the head of its hash.

    A file or folder of the user's own is named by its last part and the hash of what it weighs in:
    the file itself, or its ``config.json`` and the sizes of its shards.
    """
    if name in MODELS:
        source = MODELS[name]
        return f"{source.name}-{source.quantisation}@{source.sha256[:8]}"
    path = find_weights(name, weights_dir)
    if path.is_file():
        return f"{path.stem}@{sha256_file(path)[:8]}"
    return f"{path.name}@{_folder_hash(path)[:8]}"


def sha256_of(name: str, path: Path) -> str:
    """The SHA-256 of a model's file; that of a known model is not computed again."""
    return MODELS[name].sha256 if name in MODELS else sha256_file(path)


def _folder_hash(folder: Path) -> str:
    import hashlib

    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(f"{path.name}:{path.stat().st_size};".encode())
    config = folder / "config.json"
    if not config.is_file():
        raise WeightsError(f"{folder} holds no config.json; name a Hugging Face model folder")
    digest.update(config.read_bytes())
    return digest.hexdigest()
