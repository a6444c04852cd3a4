"""A scope of one's own against logind's KillUserProcesses. `systemd-run` is a fake: no systemd runs where tests do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from lightning_tui.environment.session import inspect_session
from lightning_tui.launch.scope import scope_words
from lightning_tui.record import RunState
from tests.launch.support import Runs, wait_for_end

FAKE_SYSTEMD_RUN = """#!/bin/sh
echo "$@" >> "$FAKE_SYSTEMD_RUN_LOG"
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """An environment with a `systemd-run` that notes its words and runs the command."""
    fake = tmp_path / "bin" / "systemd-run"
    fake.parent.mkdir()
    fake.write_text(FAKE_SYSTEMD_RUN)
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_SYSTEMD_RUN_LOG", str(tmp_path / "log"))
    return os.environ | {"USER": "ada"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host whose logind kills what a session leaves, on which ada lingers."""
    root = tmp_path / "root"
    for folder in ("run/systemd/system", "etc/systemd", "var/lib/systemd/linger", "proc/self"):
        (root / folder).mkdir(parents=True)
    (root / "etc/systemd/logind.conf").write_text("[Login]\nKillUserProcesses=yes\n")
    (root / "var/lib/systemd/linger/ada").touch()
    (root / "proc/self/cgroup").write_text("0::/user.slice/user-1000.slice/session-3.scope\n")
    return root


def test_a_run_gets_a_scope_where_that_lets_it_outlive_the_login(environ: Mapping[str, str], root: Path) -> None:
    assert scope_words(environ, root) == ["systemd-run", "--user", "--scope", "--quiet", "--collect", "--"]


def test_it_gets_none_where_that_helps_nothing(environ: Mapping[str, str], root: Path, tmp_path: Path) -> None:
    (tmp_path / "bin" / "systemd-run").write_text("#!/bin/sh\nexit 1\n")
    assert scope_words(environ, root) == [], "no bus to the user's manager"
    (tmp_path / "bin" / "systemd-run").write_text(FAKE_SYSTEMD_RUN)
    (root / "var/lib/systemd/linger/ada").unlink()
    assert scope_words(environ, root) == [], "the manager ends with the login"
    (root / "etc/systemd/logind.conf").write_text("")
    assert scope_words(environ, root) == [], "nothing is killed"


def test_the_supervisor_is_started_in_it(
    runs: Runs, environ: Mapping[str, str], root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("lightning_tui.launch.scope.inspect_session", lambda environ, _: inspect_session(environ, root))
        directory = runs.start("print('hello')", environ=environ)
    assert wait_for_end(directory).state is RunState.FINISHED
    trial, started = (tmp_path / "log").read_text().splitlines()
    assert trial.endswith("-- true")
    assert started.startswith("--user --scope --quiet --collect -- ")
    assert str(directory.path) in started
