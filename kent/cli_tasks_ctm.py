"""``kent tasks build-ctm``: the data set that the CTM learns code repair from."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kent.cli_app import App, json_option, pass_app, print_json, say

if TYPE_CHECKING:  # imported when first used: `kent daemon status` must be quick
    from memory.repair_records import RepairPair
    from trainers.ctm.data.manifest import Manifest

_EVERY_S = 10.0
_SAMPLES = 60_000
_SOURCES = ("synthetic", "linters", "git", "stack-exchange", "pairs")


@click.command("build-ctm")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The folder of the data set; one that is unfinished goes on.",
)
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    default=_SAMPLES,
    show_default=True,
    help="Of train; each other split has a twentieth, at most 5000.",
)
@click.option(
    "--vocabulary",
    type=click.IntRange(min=1, max=65_536),
    help="Ids of the vocabulary; 4096, or 32768 under the profile gpu.",
)
@click.option(
    "--functions",
    type=click.IntRange(min=1),
    help="Read packages until so many functions are found; as many as samples if not given.",
)
@click.option(
    "--source",
    "named",
    type=click.Choice(_SOURCES),
    multiple=True,
    help="What it is made of; synthetic and linters, and what --repo and --posts name.",
)
@click.option(
    "--repo",
    "repositories",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    multiple=True,
    help="A git repository whose fixes are mined; may be given more than once.",
)
@click.option(
    "--posts",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="A Posts.xml of a Stack Exchange dump.",
)
@click.option("--seed", type=click.IntRange(min=0), help="The configuration's if none.")
@json_option
@pass_app
def build_ctm(
    app: App,
    *,
    out: Path,
    samples: int,
    vocabulary: int | None,
    functions: int | None,
    named: tuple[str, ...],
    repositories: tuple[Path, ...],
    posts: tuple[Path, ...],
    seed: int | None,
    as_json: bool,
) -> int:
    """Build the data set that the CTM learns code repair from.

    Bugs are put into functions of this Python's library and installed packages, and pairs are
    collected from linters, git, Stack Exchange and the store. It needs no network. A build that
    was cut goes on with the same options; a finished one grows where more samples are
    asked for.
    """
    from trainers.ctm.data.bugs_real import benchmark_likenesses
    from trainers.ctm.data.build import build
    from trainers.ctm.data.collectors.all import Collectors
    from trainers.ctm.data.corpus import packages
    from trainers.ctm.data.make import BuildOptions

    chosen = _chosen(named, repositories, posts)
    progress = _Progress()
    installed = packages()
    options = BuildOptions(
        samples=samples,
        functions=functions or samples,
        vocabulary=vocabulary or (32_768 if app.config.profile == "gpu" else 4_096),
        seed=app.config.seed if seed is None else seed,
        sources=_recorded(chosen, repositories, posts),
    )
    collect = Collectors(
        packages=installed,
        lint="linters" in chosen,
        repositories=repositories,
        posts=posts,
        rows=_stored(app) if "pairs" in chosen else (),
        progress=progress,
    )
    data = os.environ.get("KENT_DATA") or app.config.tasks.data_dir
    exclude = benchmark_likenesses(Path(data).expanduser()) if data else frozenset()
    manifest = build(out, options, installed, collect=collect, exclude=exclude, progress=progress)
    report = _report(out, manifest, progress.seconds)
    if as_json:
        print_json(report)
    else:
        _print(report)
    return 0 if manifest.samples("train") else 1


class _Progress:
    """Tells how far a build is, on standard error: a line every ten seconds and at each phase."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()
        self._phase = ""

    @property
    def seconds(self) -> float:
        """Since the build began."""
        return time.monotonic() - self._began

    def __call__(self, phase: str, done: int, total: int) -> None:
        now = time.monotonic()
        if phase == self._phase and now - self._last < _EVERY_S:
            return
        self._phase, self._last = phase, now
        say(f"{phase}: {done} of {total}, after {self.seconds:.0f} s")


def _chosen(
    named: tuple[str, ...], repositories: tuple[Path, ...], posts: tuple[Path, ...]
) -> set[str]:
    chosen = set(named or ("synthetic", "linters"))
    chosen |= {"git"} if repositories else set()
    chosen |= {"stack-exchange"} if posts else set()
    if "git" in chosen and not repositories:
        raise click.UsageError("--source git needs a repository: --repo DIR")
    if "stack-exchange" in chosen and not posts:
        raise click.UsageError("--source stack-exchange needs a dump: --posts Posts.xml")
    return chosen


def _recorded(
    chosen: set[str], repositories: tuple[Path, ...], posts: tuple[Path, ...]
) -> tuple[str, ...]:
    """What the data set is made of, as its manifest keeps it."""
    plain = sorted(chosen - {"git", "stack-exchange"})
    named = [f"git {path.absolute()}" for path in repositories]
    return (*plain, *named, *(f"stack-exchange {path.absolute()}" for path in posts))


def _stored(app: App) -> "list[RepairPair]":
    with app.read_store() as store:
        return store.repair_pairs()


def _report(out: Path, manifest: "Manifest", seconds: float) -> dict[str, Any]:
    from trainers.ctm.data.manifest import SPLITS

    return {
        "out": str(out),
        "vocabulary": manifest.vocabulary,
        "samples": {split: manifest.samples(split) for split in SPLITS},
        "corpus": manifest.corpus,
        "test_packages": manifest.test_packages,
        "kept": [
            {"source": source, "class": bug_class, "samples": count}
            for (source, bug_class), count in sorted(manifest.kept().items())
        ],
        "dropped": [
            {"source": source, "class": bug_class, "reason": reason, "pairs": count}
            for (source, bug_class, reason), count in sorted(manifest.drops().items())
        ],
        "operators": dict(manifest.operators().most_common()),
        "seconds": round(seconds, 1),
    }


def _print(report: dict[str, Any]) -> None:
    shares = ", ".join(f"{split} {count}" for split, count in report["samples"].items())
    click.echo(f"{report['out']}: {shares}; vocabulary {report['vocabulary']}")
    click.echo(f"never trained on: {', '.join(report['test_packages']) or 'no package'}")
    for one in report["kept"]:
        click.echo(f"kept     {one['samples']:8}  {one['source']:15} {one['class']}")
    for one in report["dropped"]:
        click.echo(
            f"dropped  {one['pairs']:8}  {one['source']:15} {one['class']:13} {one['reason']}"
        )
