"""Interpreters that run a program on a smaller machine: less shared memory, fewer open files, folders of another kind.

Each is a script that narrows its own process and then becomes Python, as a container or a job's limits would. Mounts
are made in a mount namespace of its own, so that nothing of the real machine is touched.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

TINY_SHARED_MEMORY = "mount -t tmpfs -o size=1m none /dev/shm"
SMALL_DISK = "mkdir -p scratch && mount -t tmpfs -o size=500k none scratch"
READ_ONLY_DISK = "mkdir -p scratch && mount -t tmpfs -o ro none scratch"
FEW_FILES = "ulimit -n 64"
NO_FOREIGN_FILES = "-dac_override,-dac_read_search"
"""What lets root read what nobody may read."""


def limited(place: Path, *commands: str) -> Path:
    """An interpreter whose shell first runs these commands."""
    return _script(place, ["sh", "-c", " && ".join([*commands, 'exec "$0" "$@"'])])


def with_mounts(place: Path, *mounts: str) -> Path:
    """An interpreter that sees further mounts; the test is left out where an ordinary user may not make any."""
    if not _may_mount():
        pytest.skip("neither root nor a user namespace: no mount can be made for the program")
    return _script(place, [*_namespace(), "sh", "-c", " && ".join([*mounts, 'exec "$0" "$@"'])])


def without_roots_rights(place: Path) -> Path:
    """An interpreter to which the permissions of files mean something, even for root."""
    if os.geteuid() != 0:
        return Path(sys.executable)
    if shutil.which("setpriv") is None:
        pytest.skip("root reads every file, and there is no setpriv")
    return _script(place, ["setpriv", f"--bounding-set={NO_FOREIGN_FILES}", f"--inh-caps={NO_FOREIGN_FILES}"])


def _script(place: Path, command: Sequence[str]) -> Path:
    path = place / "python-of-a-smaller-machine"
    path.write_text(f'#!/bin/sh\nexec {shlex.join([*command, sys.executable])} "$@"\n')
    path.chmod(0o755)
    return path


def _namespace() -> list[str]:
    return ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]


@cache
def _may_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    trial = [*_namespace(), "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(trial, capture_output=True, check=False).returncode == 0
