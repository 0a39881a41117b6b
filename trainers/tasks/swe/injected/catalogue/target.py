"""What a target is, and the makers of arguments that several files of the catalogue use."""

from dataclasses import dataclass

from trainers.tasks.swe.injected.values import Make, integers, texts


@dataclass(frozen=True)
class Target:
    """A function ``name`` of a module, what makes its arguments, and what it is called through.

    ``front``: the text of a function of that name, put after the program; ``needs`` are then the
    names that are cut out of the module, by default ``name`` itself.
    """

    module: str
    name: str
    makes: tuple[Make, ...]
    front: str = ""
    needs: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Module and function in one."""
        return f"{self.module}.{self.name}"


def front(module: str, needs: str, head: str, body: str, *makes: Make) -> Target:
    """A target through a function: its head, as ``name(a, b)``, and its body."""
    code = f"def {head}:\n" + "".join(f"    {line}\n" for line in body.splitlines())
    return Target(module, head.partition("(")[0], makes, code, tuple(needs.split()))


INT = integers(-20, 20)
SMALL = integers(0, 9)
WORD = texts("abcdeXY12_-", 1, 8)
YEAR, MONTH, DAY = integers(1600, 2400), integers(1, 12), integers(1, 28)
