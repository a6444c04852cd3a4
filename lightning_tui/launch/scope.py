"""How does a run outlive a login that logind cleans up after? In a scope of the user's own service manager."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from lightning_tui.environment.session import inspect_session

_SCOPE = ("systemd-run", "--user", "--scope", "--quiet", "--collect")
_PATIENCE_S = 5.0


def scope_words(environ: Mapping[str, str], root: Path = Path("/")) -> list[str]:
    """Words to put before a command so that logind's KillUserProcesses leaves it alone; empty where that is no matter.

    It helps a user alone who lingers (`loginctl enable-linger`): else the manager ends with the last login too.
    Settings are read below `root`; whether a scope can be had is tried out.
    """
    session = inspect_session(environ, root)
    if not session.kills_processes or not session.lingers or not _works(environ):
        return []
    return [*_SCOPE, "--"]


def _works(environ: Mapping[str, str]) -> bool:
    try:
        trial = subprocess.run(
            [*_SCOPE, "--", "true"],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_PATIENCE_S,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return trial.returncode == 0
