"""The ``kent`` command: parse, call, print."""

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from kent.cli_app import App, json_option, pass_app, print_json, say
from kent.cli_benchmark import benchmark
from kent.cli_daemon import daemon
from kent.cli_model import model
from kent.cli_solve import solve
from kent.cli_state import state
from kent.cli_tasks import tasks
from kent.errors import ConfigError, KentError


def _version(context: click.Context, option: click.Parameter, wanted: bool) -> None:
    if wanted:
        from kent.version import code_version

        click.echo(code_version())
        context.exit()


@click.group()
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Not ./kent.toml.")
@click.option("--state", "state_dir", type=click.Path(path_type=Path), help="Not ./state.")
@click.option("--profile", help="cpu or gpu: the presets that apply.")
@click.option("--debug", is_flag=True, help="Show where an error comes from.")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Which code this is.",
)
@pass_app
def cli(
    app: App, config_file: Path | None, state_dir: Path | None, profile: str | None, debug: bool
) -> None:
    """KENT makes code models measurably better on the box it runs on.

    Exit codes: 0 done, 1 the run failed, 2 wrong use or configuration.
    """
    app.config_option, app.state_option = config_file, state_dir
    app.profile_option, app.debug = profile, debug


@cli.command()
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@pass_app
def init(app: App, force: bool) -> None:
    """Write a commented kent.toml; as written it changes nothing."""
    from kent.config_file import write_config

    path = app.config_option or Path("kent.toml")
    write_config(path, force=force)
    say(f"wrote {path}; next: kent doctor")


@cli.command()
@json_option
@pass_app
def doctor(app: App, as_json: bool) -> int:
    """Say what works on this box and what does not."""
    from kent.doctor import examine, in_lines, to_json

    checks = examine(app.config)
    if as_json:
        print_json(to_json(checks))
    else:
        click.echo("\n".join(in_lines(checks)))
    return 1 if any(check.status == "fail" for check in checks) else 0


@cli.command("round")
@click.argument("stages", nargs=-1, metavar="[STAGE]...")
@pass_app
def round_(app: App, stages: tuple[str, ...]) -> int:
    """Run one round here, with progress; a round that was cut goes on."""
    from kent.daemon import run_one_round

    config = app.load(**{"stages.enabled": ("STAGE", list(stages) or None)})
    outcome = run_one_round(config, named=bool(stages))
    _print_report(app)
    return 0 if outcome.status == "done" else 1


@cli.command()
@json_option
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page.")
@click.option("--serve", is_flag=True, help="Serve a live, read-only page until Ctrl-C.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8017,
    show_default=True,
    help="With --serve; 0 takes a free one.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="With --serve; another address shows the report to whoever reaches it.",
)
@pass_app
def report(app: App, as_json: bool, html: Path | None, serve: bool, port: int, host: str) -> None:
    """Show what got better over the rounds, with intervals."""
    from kent.report import build, render_html

    if serve:
        from kent.report.serve import ReportServer

        if as_json or html:
            raise click.UsageError("--serve goes with neither --json nor --html")
        ReportServer(app.state_dir, host, port).run(lambda url: say(f"the report is at {url}"))
        return
    if not as_json and not html:
        _print_report(app)
        return
    with app.read_store() as store:
        document = build(store)
    if html:
        html.write_text(render_html(document), encoding="utf-8")
        say(f"wrote {html}")
    if as_json:
        print_json(document)


def _print_report(app: App) -> None:
    from rich.console import Console

    from kent.report import build, render_terminal

    with app.read_store() as store:
        render_terminal(build(store), Console())


for group in (daemon, model, tasks, state, benchmark, solve):
    cli.add_command(group)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. What goes wrong is one line on standard error."""
    app = App()
    try:
        code = cli.main(
            list(arguments) if arguments is not None else None,
            prog_name="kent", standalone_mode=False, obj=app,
        )  # fmt: skip
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        return _fail(error.format_message(), 2)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", 1)
    except BrokenPipeError:
        # Whoever read our output has left; a second attempt at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 - the last place where an error can be told
        if app.debug:
            traceback.print_exc()
        return _fail(_lines(error, app), getattr(error, "exit_code", 1))
    return code if isinstance(code, int) else 0


def _lines(error: Exception, app: App) -> list[str] | str:
    """What an error says; one that nobody foresaw also says its type and how to see more."""
    from memory.errors import StoreError
    from sandbox.errors import SandboxError
    from trainers.errors import TrainerError

    text = " ".join(str(error).split())
    if isinstance(error, ConfigError):
        return error.problems
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the system'}: {error.strerror}"
    if isinstance(error, KentError | StoreError | SandboxError | TrainerError):
        return text
    return f"unexpected {type(error).__name__}: {text}" + "; --debug shows where" * (not app.debug)


def _fail(problems: list[str] | str, code: int) -> int:
    for problem in [problems] if isinstance(problems, str) else problems:
        say(f"kent: error: {problem}")
    return code
