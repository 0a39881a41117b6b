"""``kent tasks judge``: which SWE tasks' tests run on this machine, found out by golden patches."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kent.cli_app import App, json_option, pass_app, print_json, say

if TYPE_CHECKING:  # imported when first used: `kent daemon status` must be quick
    from trainers.tasks.swe.types import SWETask


@click.command()
@click.option("--repo", "repos", multiple=True, help="OWNER/NAME; by default all with a recipe.")
@click.option(
    "--set",
    "task_file",
    type=click.Path(exists=True, path_type=Path),
    help="A task file of the shared format; by default the store's tasks.",
)
@click.option("--limit", type=click.IntRange(1), help="At most so many tasks.")
@click.option("--again", is_flag=True, help="Try once more those that could not be judged.")
@json_option
@pass_app
def judge(
    app: App,
    repos: tuple[str, ...],
    task_file: Path | None,
    limit: int | None,
    again: bool,
    as_json: bool,
) -> int:
    """Find out which SWE tasks can be judged here; `kent benchmark code` then runs their tests.

    For each repository an environment is made and releases are fetched from the package registry:
    their set-up scripts are run by pip, outside of the sandbox. A task counts when its golden patch
    passes and no patch fails. What was found out is kept; a run that was cut goes on.
    """
    from trainers.tasks.swe.judging import calibrations
    from trainers.tasks.swe.judging.local import Calibration, LocalJudge
    from trainers.tasks.swe.judging.recipes import RECIPES

    folder = app.config.state_dir / calibrations.FOLDER
    local = LocalJudge(folder)
    wanted = repos or tuple(RECIPES)
    for line in local.prepare(wanted):
        say(f"note: {line}")
    tasks = [
        task
        for task in _tasks(app, task_file)
        if task.repo in wanted and task.judge is not None and task.judge.fail_to_pass
    ][:limit]

    def tell(one: Calibration) -> None:
        say(f"{one.task_id}: {'judged' if one.judged else f'not judged: {one.reason[:200]}'}")

    known = calibrations.calibrate(local, tasks, folder, again=again, tell=tell)
    asked = [known[task.task_id] for task in tasks]
    by_repo = calibrations.counts(asked)
    document = {
        "judged": sorted(one.task_id for one in asked if one.judged),
        "not_judged": {one.task_id: one.reason for one in asked if not one.judged},
        "by_repo": by_repo,
    }
    if as_json:
        print_json(document)
    else:
        for repo, row in by_repo.items():
            click.echo(f"{repo}: {row['judged']} of {row['tried']} tasks can be judged")
    return 0


def _tasks(app: App, task_file: Path | None) -> "Iterator[SWETask]":
    from trainers.tasks.swe.loading import CACHE, load_tasks
    from trainers.tasks.swe.shared import read_swe

    if task_file is not None:
        return read_swe(task_file, cache=app.config.state_dir / CACHE)
    return load_tasks(app.read_store(), source="swe")
