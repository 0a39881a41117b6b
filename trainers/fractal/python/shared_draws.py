"""One draw for two loops: who asks again with the same seed gets the completion that was made."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from trainers.fractal.python.domain import Writer
from trainers.generators.base import Completion, Infill, Request, SamplingParams

Asked = tuple[object, int]


@dataclass
class SharedDraws:
    """A writer that remembers (see :class:`trainers.fractal.python.domain.Writer`).

    Two searches of one problem from one seed ask for the same fresh samples. Engines draw by what
    else is in the batch, so the seed alone would not give the same texts twice. A request without
    a seed of its own is always asked anew.
    """

    inner: Writer
    _known: dict[Asked, Completion] = field(default_factory=dict)

    def write(
        self, requests: Sequence[Request | Infill], params: SamplingParams
    ) -> list[Completion]:
        """All completions, in the order of the requests; only the new ones are rendered."""
        keys = [_asked(request) for request in requests]
        new = [place for place, key in enumerate(keys) if key is None or key not in self._known]
        made = self.inner.write([requests[place] for place in new], params) if new else []
        fresh = dict(zip(new, made, strict=True))
        for place, answer in fresh.items():
            if (key := keys[place]) is not None:
                self._known[key] = answer
        return [
            fresh[place] if key is None or place in fresh else self._known[key]
            for place, key in enumerate(keys)
        ]


def _asked(request: Request | Infill) -> Asked | None:
    if request.seed is None:
        return None
    text: object = request.prompt if isinstance(request, Infill) else request.messages
    return text, request.seed
