"""A Hugging Face folder of a model: the user's own, or a GGUF file converted once."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from trainers.errors import WeightsError
from trainers.generators.weights import find_weights, sha256_of

_MADE_FROM = "made_from.json"


def hf_folder(name: str, weights_dir: Path) -> Path:
    """The folder with ``config.json``, bf16 safetensors and the tokenizer of a model.

    A GGUF file is dequantised into a folder beside it, once: the folder remembers the file's hash.
    The conversion runs in a process of its own, since it needs several times the file's size.

    Raises:
        WeightsError: the weights are missing, or cannot be converted.
    """
    path = find_weights(name, weights_dir)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise WeightsError(f"{path} holds no config.json; name a Hugging Face model folder")
        return path
    folder = path.with_suffix("")
    sha256 = sha256_of(name, path)
    if _made_from(folder) != sha256:
        command = [
            sys.executable,
            "-m",
            "trainers.generators.folder",
            str(path),
            str(folder),
            sha256,
        ]
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if ended.returncode:
            last = (ended.stderr.strip().splitlines() or ["it ended without a word"])[-1]
            raise WeightsError(
                f"{path} could not be converted: {last}; check it with `kent model verify`"
            )
    return folder


def convert(path: Path, folder: Path, sha256: str) -> None:
    """Dequantise a GGUF file to bf16; ``folder`` is whole or not there."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    temporary = folder.with_name(f".{folder.name}.converting")
    shutil.rmtree(temporary, ignore_errors=True)
    model = AutoModelForCausalLM.from_pretrained(
        path.parent,
        gguf_file=path.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.bfloat16,
    )
    model.save_pretrained(temporary)
    AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name).save_pretrained(temporary)
    (temporary / _MADE_FROM).write_text(json.dumps({"file": path.name, "sha256": sha256}))
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def _made_from(folder: Path) -> str | None:
    record = folder / _MADE_FROM
    if not record.is_file():
        return None
    sha256: str = json.loads(record.read_text())["sha256"]
    return sha256


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
