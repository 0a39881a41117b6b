"""``scripts/gpu_box.py``: launch, wait, setup-ssh, sync, run, logs, terminate, list."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from kent.errors import RemoteError
from kent.remote import jobs
from kent.remote.desk import Desk, planned, register_key, until_active, with_identity
from kent.remote.guard import end, watch_over
from kent.remote.lambda_cloud import BASE_URL, Instance, Unanswered
from kent.remote.records import BoxRecord, Records, default_folder
from kent.remote.shell import Shell

_TERMINATE_ATTEMPTS = 20


pass_desk = click.make_pass_decorator(Desk)
_box = click.argument("name", required=False)


@click.group()
@click.option("--records", type=click.Path(path_type=Path), help="Folder of what is known here.")
@click.option("--base-url", default=BASE_URL, show_default=True, help="Of the API.")
@click.option("--pause-s", default=1.0, hidden=True, help="Between two requests.")
@click.pass_context
def cli(context: click.Context, records: Path | None, base_url: str, pause_s: float) -> None:
    """Rent one GPU box at Lambda Cloud, work on it, give it back.

    The key is read from LAMBDA_API_KEY. Every box has a limit of hours (`launch --max-hours`), at
    which a process on this machine terminates it, whatever else happens to it.
    """
    context.obj = Desk(Records(records or default_folder()), base_url, pause_s)
    context.obj.guard_all()


@cli.command()
@click.option("--type", "type_name", required=True, help="Such as gpu_1x_a10; `list --types`.")
@click.option("--region", help="One that has such a box free; by default the first of them.")
@click.option("--ssh-key", required=True, help="Name of the key in the account.")
@click.option("--identity", type=click.Path(path_type=Path), help="Its private half, a file here.")
@click.option("--max-hours", type=click.FloatRange(min=0, min_open=True), help="Then it is ended.")
@click.option("--max-usd", type=click.FloatRange(min=0), help="Refuse where the hours cost more.")
@click.option("--name", help="By default one is made.")
@pass_desk
def launch(
    desk: Desk,
    type_name: str,
    region: str | None,
    ssh_key: str,
    identity: Path | None,
    max_hours: float | None,
    max_usd: float | None,
    name: str | None,
) -> None:
    """Rent a box and start the process that ends it after --max-hours."""
    if max_hours is None:
        raise click.UsageError("name a spending limit: --max-hours, after which the box is ended")
    with desk.cloud() as cloud:
        record = planned(cloud, type_name, region, max_hours, max_usd, name)
        if desk.records.path(record.name).exists():
            raise RemoteError(f"{record.name} is there already")
        register_key(cloud, ssh_key, identity)
        desk.records.write(with_identity(record, identity))
        # The guard is there before the box is: however this ends, the rent does.
        watch_over(desk.records, desk.records.read(record.name), desk.base_url)
        try:
            box_id = cloud.launch(
                type_name=type_name, region=record.region, ssh_key=ssh_key, name=record.name
            )
        except Unanswered as error:
            raise RemoteError(
                f"{error}; {record.name} may have been launched or not: see `list`, and "
                "`terminate` it there; its guard ends it at the limit of hours"
            ) from error
        except RemoteError:
            desk.records.forget(record.name)
            raise
        desk.records.change(record.name, id=box_id)
    limit = f"{max_hours * record.usd_per_hour:.2f} USD at most"
    click.echo(f"{record.name}: {type_name} in {record.region}, id {box_id}, {limit}")


@cli.command()
@_box
@click.option("--timeout-minutes", default=20.0, show_default=True, help="Then it is given back.")
@click.option("--poll-s", default=10.0, show_default=True, help="Between two looks.")
@click.option("--keep", is_flag=True, help="Do not give back one that never becomes active.")
@pass_desk
def wait(desk: Desk, name: str | None, timeout_minutes: float, poll_s: float, keep: bool) -> None:
    """Wait until a box is active; one that never is, is given back."""
    record = desk.records.the_one(name)
    with desk.cloud() as cloud:
        try:
            found = until_active(cloud, record, timeout_minutes * 60, poll_s)
        except RemoteError:
            if not keep:
                end(cloud, record, attempts=_TERMINATE_ATTEMPTS)
                desk.records.forget(record.name)
            raise
    desk.records.change(record.name, ip=found.ip)
    click.echo(f"{record.name} is active at {found.ip}")


@cli.command("setup-ssh")
@_box
@click.option("--identity", type=click.Path(path_type=Path), help="The private key, a file here.")
@click.option("--user", default="ubuntu", show_default=True, help="On the box.")
@click.option("--port", default=22, show_default=True, help="Of its SSH server.")
@click.option("--timeout-s", default=300.0, show_default=True, help="For the first connection.")
@click.option("--timer/--no-timer", default=True, help="Let the box also shut itself down.")
@pass_desk
def setup_ssh(
    desk: Desk,
    name: str | None,
    identity: Path | None,
    user: str,
    port: int,
    timeout_s: float,
    timer: bool,
) -> None:
    """Wait until the box lets us in, and write the ssh configuration that the other verbs use."""
    record = desk.records.the_one(name)
    changes = {"identity": str(identity.expanduser().resolve())} if identity else {}
    record = desk.records.change(record.name, user=user, port=port, **changes)
    if not record.identity:
        raise click.UsageError("name the private key: --identity FILE")
    shell = Shell(desk.records, record)
    config = shell.configure()
    shell.wait_until_reachable(timeout_s)
    if timer:
        _set_timer(shell, record)
    click.echo(f"ready: ssh -F {config} {record.name}")


@cli.command()
@_box
@click.option("--source", type=click.Path(path_type=Path), default=".", help="The tree to copy.")
@click.option("--pull", metavar="PATH", help="Copy PATH of the tree on the box here instead.")
@click.option("--target", type=click.Path(path_type=Path), default=".", help="Of --pull.")
@pass_desk
def sync(desk: Desk, name: str | None, source: Path, pull: str | None, target: Path) -> None:
    """Copy the working tree to the box, or with --pull something of it back."""
    record = desk.records.the_one(name)
    shell = Shell(desk.records, record)
    if pull:
        shell.pull(pull, target)
        click.echo(f"{pull} is in {target}")
    else:
        shell.push(source.resolve())
        click.echo(f"{source.resolve()} is on {record.name}")


@cli.command(context_settings={"ignore_unknown_options": True})
@click.option("--box", "name", help="Which box, where there are several.")
@click.option("--detach", is_flag=True, help="Do not wait for its end.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@pass_desk
def run(desk: Desk, name: str | None, detach: bool, command: Sequence[str]) -> int:
    """Run a COMMAND in the tree on the box; it goes on when the connection drops.

    Its output is shown and kept here; the exit code is its own.
    """
    record = desk.records.the_one(name)
    shell, job = Shell(desk.records, record), jobs.new_job()
    jobs.start(shell, job, command)
    click.echo(f"job {job} on {record.name}", err=True)
    return 0 if detach else _follow(desk, shell, record, job)


@cli.command()
@_box
@click.option("--job", help="By default the last one.")
@click.option("-f", "--follow", "following", is_flag=True, help="Until it ends.")
@pass_desk
def logs(desk: Desk, name: str | None, job: str | None, following: bool) -> int:
    """Show what a job has printed."""
    record = desk.records.the_one(name)
    shell = Shell(desk.records, record)
    known = jobs.jobs(shell)
    chosen = job or (known[-1] if known else None)
    if chosen is None:
        raise RemoteError(f"no job was started on {record.name}")
    if following:
        return _follow(desk, shell, record, chosen)
    jobs.read(shell, record.name, chosen, _to_stdout)
    return 0


@cli.command()
@_box
@click.option("--all", "every", is_flag=True, help="All that are known here.")
@pass_desk
def terminate(desk: Desk, name: str | None, every: bool) -> None:
    """Give a box back, and look until it is gone; all that is on it goes too."""
    chosen = desk.records.all() if every else [desk.records.the_one(name)]
    with desk.cloud() as cloud:
        for record in chosen:
            end(cloud, record, attempts=_TERMINATE_ATTEMPTS)
            desk.records.forget(record.name)
            click.echo(f"{record.name} is given back")


@cli.command("list")
@click.option("--types", is_flag=True, help="What can be rented now, and its price.")
@pass_desk
def list_(desk: Desk, types: bool) -> None:
    """Show the boxes of the account, also those that were launched elsewhere."""
    with desk.cloud() as cloud:
        if types:
            for one in cloud.instance_types():
                where = ", ".join(one.regions) or "none free"
                click.echo(f"{one.name:28} {one.usd_per_hour:7.2f} USD/h  {where}")
            return
        records = {record.name: record for record in desk.records.all()}
        for found in cloud.instances():
            click.echo(_line(found, records.get(found.name)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb; its exit code. What goes wrong is one line on standard error."""
    try:
        code = cli.main(arguments, prog_name="gpu_box.py", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        click.echo(f"gpu_box: error: {error.format_message()}", err=True)
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("gpu_box: left; a job that runs goes on (`logs -f`)", err=True)
        return 130
    except RemoteError as error:
        click.echo(f"gpu_box: error: {error}", err=True)
        return 1
    return code if isinstance(code, int) else 0


def _set_timer(shell: Shell, record: BoxRecord) -> None:
    """Let the box stop its own work at the deadline; only terminating it ends the rent for sure."""
    minutes = max(1, round((record.deadline - time.time()) / 60))
    if shell.run(f"sudo -n shutdown -P +{minutes} >/dev/null 2>&1").returncode:
        click.echo("the box takes no shutdown timer; the guard here ends it all the same", err=True)


def _follow(desk: Desk, shell: Shell, record: BoxRecord, job: str) -> int:
    path = jobs.local_log(desk.records.folder, record.name, job)
    with path.open("wb") as file:

        def write(chunk: bytes) -> None:
            file.write(chunk)
            file.flush()
            _to_stdout(chunk)

        code = jobs.follow(shell, record.name, job, write)
    click.echo(f"job {job} ended with code {code}; its output is in {path}", err=True)
    return code


def _to_stdout(chunk: bytes) -> None:
    sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def _line(found: Instance, record: BoxRecord | None) -> str:
    line = f"{found.name or found.id:20} {found.status:11} {found.ip or '-':15} {found.type}"
    if record is None:
        return f"{line}  not launched from here: nothing ends it"
    hours = (record.deadline - time.time()) / 3600
    spent = (time.time() - record.launched_at) / 3600 * record.usd_per_hour
    return f"{line}  {hours:.1f} h left, {spent:.2f} USD so far"
