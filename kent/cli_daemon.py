"""``kent daemon``: start, stop, restart, pause, resume, status, logs, unit."""

import time

import click

from kent.cli_app import App, json_option, pass_app, print_json

_rounds = click.option("--rounds", type=click.IntRange(min=1), help="End after so many rounds.")


@click.group()
def daemon() -> None:
    """The process that runs rounds until it is stopped; one a state directory."""


@daemon.command()
@click.option("--foreground", is_flag=True, help="Run here, with progress; Ctrl-C stops.")
@click.option("--detached", is_flag=True, hidden=True, help="Write to the log only.")
@_rounds
@pass_app
def start(app: App, foreground: bool, detached: bool, rounds: int | None) -> int:
    """Start the daemon in the background, and say how to watch it."""
    if not foreground:
        _start(app, rounds)
        return 0
    from kent.daemon import Daemon

    return 0 if Daemon(app.config, rounds=rounds, quiet=detached).run() else 1


@daemon.command()
@click.option("--now", is_flag=True, help="Do not finish the unit of work in hand.")
@pass_app
def stop(app: App, now: bool) -> None:
    """Finish the unit of work in hand, then end; a round that is cut goes on at the next start."""
    _stop(app, now=now)


@daemon.command()
@click.option("--now", is_flag=True, help="Do not finish the unit of work in hand.")
@_rounds
@pass_app
def restart(app: App, now: bool, rounds: int | None) -> None:
    """Stop, then start."""
    _stop(app, now=now)
    _start(app, rounds)


@daemon.command()
@pass_app
def pause(app: App) -> None:
    """Finish the unit of work in hand, then wait for `resume`, also after a restart."""
    from kent.pause import set_paused

    said = "pausing" if set_paused(app.state_dir, True) else "was pausing already"
    click.echo(f"{said}; `kent daemon resume` goes on")


@daemon.command()
@pass_app
def resume(app: App) -> None:
    """End a pause; the round goes on where it was."""
    from kent.pause import set_paused

    click.echo("resumed" if set_paused(app.state_dir, False) else "there was no pause")


@daemon.command()
@json_option
@pass_app
def status(app: App, as_json: bool) -> None:
    """Say what the daemon is doing: round, stage, progress, heartbeat, last error, disk."""
    from kent import status as state

    document = state.status(app.state_dir)
    if as_json:
        print_json(document)
    else:
        click.echo("\n".join(state.in_lines(document)))


@daemon.command()
@click.option("-f", "--follow", is_flag=True, help="Go on as lines are written.")
@click.option("-n", "--lines", default=40, type=click.IntRange(min=0), help="Last lines to show.")
@click.option("--stage", default="daemon", help="A stage's log and not the daemon's.")
@pass_app
def logs(app: App, follow: bool, lines: int, stage: str) -> None:
    """Print the daemon's log, or a stage's."""
    from kent.logs import follow as following
    from kent.logs import last_lines, log_path

    path = log_path(app.state_dir, stage)
    if not path.exists() and not follow:
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.log")))
        raise click.UsageError(f"no log {path}; logs there: {known or 'none'}")
    for line in last_lines(path, lines):
        click.echo(line)
    if follow:
        for line in following(path):
            click.echo(line)


@daemon.command()
@pass_app
def unit(app: App) -> None:
    """Print a systemd unit for this configuration."""
    from kent.unit import installed_systemd, systemd_unit

    click.echo(systemd_unit(app.config, app.config_file, installed_systemd()), nl=False)


def _start(app: App, rounds: int | None) -> None:
    from kent.control import start as start_daemon

    arguments = [*app.global_arguments(), "daemon", "start", "--foreground", "--detached"]
    if rounds:
        arguments += ["--rounds", str(rounds)]
    holder = start_daemon(app.config.state_dir, arguments)
    click.echo(f"daemon started: pid {holder.pid}, state in {app.config.state_dir}")
    click.echo("watch it: kent daemon status, kent daemon logs -f; end it: kent daemon stop")


def _stop(app: App, *, now: bool) -> None:
    from kent.control import stop as stop_daemon

    limits = app.config.daemon
    began = time.monotonic()
    wait_s = limits.stop_grace_s + limits.kill_grace_s + 30
    holder = stop_daemon(app.config.state_dir, now=now, wait_s=wait_s)
    if holder is None:
        click.echo(f"no daemon runs in {app.config.state_dir}")
    else:
        click.echo(f"stopped pid {holder.pid} after {time.monotonic() - began:.1f} s")
