"""The systemd unit that ``kent daemon unit`` prints: the foreground daemon as a service."""

import subprocess
import sys
from pathlib import Path

from kent.config import KentConfig

# The daemon's own writes may wait for a lock, and a large backup takes its time.
_START_S, _WATCHDOG_S = 600, 1200
_BACK_OFF = "RestartSteps=6\nRestartMaxDelaySec=600\n"


def systemd_unit(config: KentConfig, config_file: Path | None, version: int | None = None) -> str:
    """A unit for ``~/.config/systemd/user/`` or ``/etc/systemd/system/``.

    Args:
        config: the effective configuration.
        config_file: where it was read from, if anywhere.
        version: of systemd; an older one knows no growing pause between restarts, nor a subgroup
            for the daemon itself. None: the newest.
    """
    steps = version is None or version >= 254
    command = [sys.executable, "-m", "kent"]
    if config_file:
        command += ["--config", str(config_file)]
    command += ["--state", str(config.state_dir), "daemon", "start", "--foreground"]
    grace_s = config.daemon.stop_grace_s + config.daemon.kill_grace_s + 30
    return f"""\
[Unit]
Description=KENT, a self-improving trainer daemon for code models
After=network-online.target
Wants=network-online.target
# However often it fails, it is started again, ever more slowly: a full disk may be emptied later.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={" ".join(_quoted(part) for part in command)}
WorkingDirectory={_escaped(str(Path.cwd()))}
Environment={_quoted(f"KENT_WEIGHTS={config.weights_dir}")}
Delegate=yes
{"DelegateSubgroup=daemon" + chr(10) if steps else ""}KillMode=mixed
TimeoutStartSec={_START_S}
TimeoutStopSec={grace_s:.0f}
WatchdogSec={_WATCHDOG_S}
Restart=on-failure
RestartSec=10
{_BACK_OFF if steps else ""}RestartPreventExitStatus=2

[Install]
WantedBy=default.target
"""


def installed_systemd() -> int | None:
    """The version of systemd on this machine; None where there is none or it cannot be asked."""
    try:
        done = subprocess.run(
            ["systemctl", "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = done.stdout.split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None


def _escaped(text: str) -> str:
    """A unit file reads ``%`` as a specifier."""
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    text = _escaped(text).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{text}"'
