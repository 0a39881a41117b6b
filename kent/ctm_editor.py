"""The CTM as an editor in the fractal loop: its likeliest edits of a failing program."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from memory.store import Store
from trainers.ctm import versions
from trainers.ctm.data.grid import CTMGridEncoder
from trainers.ctm.editable import TextProgram
from trainers.ctm.repair import Repairer
from trainers.errors import CTMDataError
from trainers.fractal.python.localise import Evidence

CANDIDATES = (32, 128)
"""Programs that one failing program is edited to: at first, and where more are asked for.

Of 137 real bugs the first of 32 that passes what is visible was right for 35, of 128 for 50.
"""


@dataclass
class CTMEditor:
    """See ``trainers.fractal.python.partners.Editor``; it edits programs that do not parse too."""

    repairer: Repairer
    encoder: CTMGridEncoder
    _left: dict[str, list[str]] = field(default_factory=dict)
    _more: dict[str, Iterator[list[str]]] = field(default_factory=dict)

    def edits(self, code: str, statement: str, evidence: Evidence, count: int) -> list[str]:
        """See :class:`trainers.fractal.python.partners.Editor`."""
        if code not in self._more:
            self._more[code] = self._found(code)
        left = self._left.get(code) or next(self._more[code], [])
        self._left[code] = left[count:]
        return left[:count]

    def _found(self, code: str) -> Iterator[list[str]]:
        """Programs that were not given before, for each of ``CANDIDATES``."""
        given = {code}
        for count in CANDIDATES:
            try:
                program = TextProgram.of(code, self.encoder)
                found = self.repairer.candidates(program, count)
            except CTMDataError:
                return  # it has no lexemes, or is larger than the grid
            texts = dict.fromkeys(cast(TextProgram, one.program).text for one in found if one.moves)
            yield [text for text in texts if text not in given]
            given.update(texts)


def open_ctm(store: Store, state_dir: Path) -> tuple[Repairer, CTMGridEncoder] | None:
    """The champion, ready to repair; None where no version was promoted.

    Raises:
        CheckpointError: its files are missing or changed.
    """
    row = store.champion(versions.KIND)
    if row is None:
        return None
    loaded = versions.load(state_dir, row)
    shape = loaded.model.config
    encoder = CTMGridEncoder(loaded.tokenizer, shape.grid_height, shape.grid_width)
    return loaded.repairer(), encoder
