"""From a person's words to a problem, and from it to the best verified program."""

import re
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any

from kent.config import KentConfig
from kent.errors import ConfigError
from kent.solve_loop import Mended, mend
from memory.records import ProblemRow
from memory.store import Store
from sandbox import ConversionError, Limits, Sandbox, Tests, from_asserts, tests_hash, tests_to_json
from trainers.critic.candidates import kind_of, load_version
from trainers.critic.features import FeatureSource
from trainers.critic.model import Critic
from trainers.critic.solve import Solution, pick, write_programs
from trainers.critic.sources import Engines, version_source
from trainers.generators import open_generator
from trainers.generators.base import Generator, SamplingParams
from trainers.stage import StageContext

_PYTHON = re.compile(r"(?:async[ \t]+def|def|class|import|from|@)\b|@")
# How prose names a function: `name`, name(...), or a name with an underscore after that word.
_NAMED = re.compile(
    r"`([A-Za-z_]\w*)(?:\([^`]*\))?`|\bfunction\s+(?:named\s+|called\s+)?([A-Za-z_]\w*)\("
    r"|\bfunction\s+(?:named|called)\s+([A-Za-z_]\w*)|\bfunction\s+([A-Za-z]\w*_\w+)"
)
_DEFINES = re.compile(r"^[ \t]*(?:async[ \t]+)?def[ \t]+(\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Solved:
    """A solution, and who made and picked it."""

    solution: Solution
    generator: str
    critic: str | None
    trace: tuple[str, ...] = ()
    repair_tokens: int = 0

    def line(self) -> str:
        """How it was picked, for a person."""
        one = self.solution
        parts = [f"picked by {one.picker} of {one.n_samples} samples, {one.n_distinct} distinct"]
        parts.append(f"{one.agreeing:.0%} of them do the same")
        if one.tests_passed is not None:
            parts.append(
                f"passes the tests, as {one.n_passing} samples do"
                if one.tests_passed
                else "no sample passes all tests"
            )
        if one.p_pass is not None:
            parts.append(f"P(pass) = {one.p_pass:.2f} by {self.critic}")
        return "; ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """The form of ``--json``."""
        return {
            **asdict(self.solution),
            "generator": self.generator,
            "critic": self.critic,
            "trace": list(self.trace),
            "repair_tokens": self.repair_tokens,
        }


def is_stub(text: str) -> bool:
    """True for Python that begins a function: its signature, perhaps imports and a docstring."""
    lines = [line for line in text.splitlines() if line.strip()]
    return bool(lines) and bool(_PYTHON.match(lines[0])) and bool(_DEFINES.search(text))


def as_problem(
    statement: str | None, *, stub: str | None, entry_point: str | None, tests: Sequence[str]
) -> ProblemRow:
    """Make a problem of what a person gave.

    Raises:
        ConfigError: there is no statement, a test is no Python, or no function is named.
    """
    if not (statement or stub or "").strip():
        raise ConfigError("nothing to solve: give a STATEMENT, --file or --stub")
    named = _DEFINES.findall(stub or "")
    name = entry_point or (named[-1] if named else None)
    judged = Tests("data", name or "")
    if tests:
        try:
            judged = from_asserts(tests, entry_point=name)
        except ConversionError as error:
            raise ConfigError(f"--test: {error}; write e.g. 'assert f(2) == 4'") from error
        name = name or judged.entry_point
    if not name and (found := _NAMED.search(statement or "")):
        name = next(group for group in found.groups() if group)
        judged = Tests("data", name)
    if not name:
        raise ConfigError("which function? name it with --function, a --test or a --stub")
    return ProblemRow(
        id="solve",
        source="solve",
        statement=statement or "Complete this function.",
        entry_point=name,
        split="test",
        tests=tests_to_json(judged),
        tests_hash=tests_hash(judged),
        visible_tests=tuple(tests),
        stub=stub or "",
    )


def solve_problem(
    config: KentConfig,
    problem: ProblemRow,
    *,
    samples: int,
    seed: int,
    budget: int,
    tell: Callable[[str], None],
) -> Solved:
    """Sample, run, repair what fails, and rank; the champion is used where there is one.

    ``budget``: tokens for repair where tests were given and no sample passes them; 0: none.

    Raises:
        TrainerError: the generator or a model cannot be used.
    """
    kind = config.critic.protocol
    generator = _generator(config)
    champion = _champion(config, kind, generator.id, tell)
    params = SamplingParams(
        config.generator.temperature, config.generator.top_p, config.generator.max_tokens, seed
    )
    limits = Limits(
        cpu_s=config.sandbox.cpu_s, wall_s=config.sandbox.wall_s, memory_mb=config.sandbox.memory_mb
    )
    features = champion.features if champion else None
    with Sandbox(workers=config.sandbox.workers or None, limits=limits) as sandbox:
        mended = Mended([], [], 0)
        with generator:
            tell(f"writing {samples} programs with {generator.id}")
            programs, calls = write_programs(generator, problem, kind, samples, params)
            if problem.visible_tests and budget:
                mended = mend(
                    config, problem, programs, generator, sandbox,
                    budget=budget, seed=seed, tell=tell,
                )  # fmt: skip
        with features or nullcontext():
            solution = pick(
                problem, kind, [*programs, *mended.samples], calls, sandbox,
                critic=champion.critic if champion else None,
                features=features,
                wanted=config.critic.agreement_inputs,
            )  # fmt: skip
    used = champion.id if champion else None
    return Solved(solution, generator.id, used, tuple(mended.trace), mended.tokens)


@dataclass(frozen=True)
class _Champion:
    id: str
    critic: Critic
    features: FeatureSource | None


def _generator(config: KentConfig) -> Generator:
    return open_generator(
        config.generator,
        state_dir=config.state_dir,
        weights_dir=config.weights_dir,
        log_path=config.state_dir / "logs" / "solve.log",
        on_engine=lambda pid, start, role: None,
    )


def _champion(
    config: KentConfig, kind: str, generator_id: str, tell: Callable[[str], None]
) -> _Champion | None:
    """The champion, if it learned from this generator's samples; else why it is not used."""
    path = config.state_dir / "kent.db"
    if not path.exists():
        tell(f"no store in {config.state_dir}: picking without a critic")
        return None
    with Store.open(path, read_only=True) as store:
        row = store.champion(kind_of(kind))
        if row is None:
            tell("no critic is champion yet (`kent model versions`): picking without one")
            return None
        if row.stale or row.generator_id != generator_id:
            tell(f"{row.id} learned from {row.generator_id}, not {generator_id}: not used")
            return None
        context = StageContext(store, config, config.state_dir, 0, 0, config.seed)
        version = load_version(context, row)
        return _Champion(row.id, version.critic, version_source(context, Engines(), row))
