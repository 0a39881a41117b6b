"""A localisation model in a folder: safetensors and JSON, no pickle."""

import json
from dataclasses import asdict
from pathlib import Path

from trainers.code_trainer.calibration import Platt
from trainers.code_trainer.fixes import Fix, FixMemory
from trainers.code_trainer.model import LocalisationModel, ModelSettings
from trainers.code_trainer.ranker import Ranker, RankerSettings
from trainers.errors import CheckpointError

FORMAT = 1
_ABOUT, _FIXES = "localiser.json", "fixes.jsonl"


def save_model(model: LocalisationModel, folder: Path) -> None:
    """Write a model into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = asdict(model.settings) | {"without": sorted(model.settings.without)}
    about = {
        "format": FORMAT,
        "settings": settings,
        "platt": asdict(model.platt),
        "chunk_rankers": len(model.chunk_rankers),
        "function_ranker": model.function_ranker is not None,
    }
    model.file_ranker.save(folder, "files")
    for number, ranker in enumerate(model.chunk_rankers):
        ranker.save(folder, f"chunks_{number}")
    if model.function_ranker is not None:
        model.function_ranker.save(folder, "functions")
    with (folder / _FIXES).open("w") as file:
        for fix in model.memory.all():
            file.write(json.dumps(asdict(fix)) + "\n")
    (folder / _ABOUT).write_text(json.dumps(about, indent=1))


def load_model(folder: Path) -> LocalisationModel:
    """Read what ``save_model`` wrote.

    Raises:
        CheckpointError: a file is missing, broken, or of another format.
    """
    try:
        about = json.loads((folder / _ABOUT).read_text())
        if about["format"] != FORMAT:
            raise CheckpointError(f"{folder} has format {about['format']}, not {FORMAT}: retrain")
        settings = about["settings"]
        for part in ("files", "chunks", "functions"):
            settings[part] = RankerSettings(**settings[part])
        settings["without"] = frozenset(settings["without"])
        with (folder / _FIXES).open() as file:
            memory = FixMemory([_fix(json.loads(line)) for line in file])
        return LocalisationModel(
            settings=ModelSettings(**settings),
            memory=memory,
            chunk_rankers=[
                Ranker.load(folder, f"chunks_{n}") for n in range(about["chunk_rankers"])
            ],
            file_ranker=Ranker.load(folder, "files"),
            function_ranker=Ranker.load(folder, "functions") if about["function_ranker"] else None,
            platt=Platt(**about["platt"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder} holds no readable localiser ({error}): retrain") from error


def _fix(row: dict[str, object]) -> Fix:
    values = dict(row)
    values["paths"] = tuple(values["paths"])  # type: ignore[arg-type]
    values["functions"] = tuple((path, name) for path, name in values["functions"])  # type: ignore[attr-defined]
    return Fix(**values)  # type: ignore[arg-type]
