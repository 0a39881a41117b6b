"""The systemd unit that ``kent daemon unit`` prints: the foreground daemon as a service."""

import sys
from pathlib import Path

from kent.config import KentConfig


def systemd_unit(config: KentConfig, config_file: Path | None) -> str:
    """A unit for ``~/.config/systemd/user/`` or ``/etc/systemd/system/``."""
    command = [sys.executable, "-m", "kent"]
    if config_file:
        command += ["--config", str(config_file)]
    command += ["--state", str(config.state_dir), "daemon", "start", "--foreground"]
    grace_s = config.daemon.stop_grace_s + config.daemon.kill_grace_s + 30
    return f"""\
[Unit]
Description=KENT, a self-improving trainer daemon for code models
After=network-online.target

[Service]
ExecStart={" ".join(_quoted(part) for part in command)}
WorkingDirectory={_escaped(str(Path.cwd()))}
Environment={_quoted(f"KENT_WEIGHTS={config.weights_dir}")}
Delegate=yes
DelegateSubgroup=daemon
KillMode=mixed
TimeoutStopSec={grace_s:.0f}
Restart=on-failure
RestartSec=30
RestartPreventExitStatus=2

[Install]
WantedBy=default.target
"""


def _escaped(text: str) -> str:
    """A unit file reads ``%`` as a specifier."""
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    text = _escaped(text).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{text}"'
