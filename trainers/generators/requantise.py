"""A GGUF file in another quantisation, made once: for engines that do not read k-quants."""

import subprocess
import sys
from pathlib import Path

from memory.files import write_atomically
from trainers.errors import WeightsError


def as_q8_0(path: Path, sha256: str) -> Path:
    """The same weights as q8_0 beside ``path``, named by the hash that they were made from.

    What the k-quants lost is not won back; 8 bits hold what is left to within rounding.

    Raises:
        WeightsError: the file cannot be read.
    """
    made = path.with_name(f"{path.stem}.{sha256[:8]}.q8_0.gguf")
    if not made.is_file():
        command = [sys.executable, "-m", "trainers.generators.requantise", str(path), str(made)]
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if ended.returncode:
            last = (ended.stderr.strip().splitlines() or ["it ended without a word"])[-1]
            raise WeightsError(f"{path} could not be requantised: {last}")
    return made


def requantise(source: Path, target: Path) -> None:
    """Write every tensor of ``source`` that is not float32 as q8_0, with the same metadata."""
    import gguf
    import numpy as np

    reader = gguf.GGUFReader(source)
    architecture = reader.fields["general.architecture"].contents()
    kept = {"general.architecture", "general.file_type"}
    q8_0, f32 = gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.F32
    writer = gguf.GGUFWriter(target, architecture)
    for key, field in reader.fields.items():
        if not key.startswith("GGUF.") and key not in kept:
            kind = field.types[0]
            inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(key, field.contents(), kind, inner)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    for tensor in reader.tensors:
        if tensor.tensor_type == f32:
            writer.add_tensor(tensor.name, np.array(tensor.data), raw_dtype=f32)
            continue
        shape = [int(size) for size in reversed(tensor.shape)]
        values = gguf.dequantize(tensor.data, tensor.tensor_type).reshape(shape)
        writer.add_tensor(tensor.name, gguf.quantize(values, q8_0), raw_dtype=q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    write_atomically(Path(sys.argv[2]), lambda temporary: requantise(Path(sys.argv[1]), temporary))
