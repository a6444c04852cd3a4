"""Every test leaves the process as it found it: no thread, no child process and no changed environment stays behind."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import hypothesis
import psutil
import pytest

LeftT = TypeVar("LeftT")

_LEAK_PATIENCE_S = 20.0


def pytest_configure() -> None:
    """Hear Ctrl-C as programs under test must (a shell's background jobs are started deaf to it); no deadlines."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # A machine that is busy with other tests makes an example slow, and that is no failure.
    hypothesis.settings.register_profile("patient", deadline=None)
    hypothesis.settings.load_profile("patient")


@pytest.fixture(autouse=True)
def no_leaked_threads() -> Iterator[None]:
    """Fail where a thread outlives its test."""
    before = set(threading.enumerate())
    yield
    left = _wait_until_gone(lambda: [t for t in threading.enumerate() if t not in before and t.is_alive()])
    assert not left, f"threads left behind: {left}"


@pytest.fixture(autouse=True)
def no_leaked_processes() -> Iterator[None]:
    """Fail where a child process, or a process of a run of this test, outlives it."""
    me = psutil.Process()
    before = {child.pid for child in me.children(recursive=True)}
    yield
    left = _wait_until_gone(lambda: [c for c in me.children(recursive=True) if c.pid not in before and _lives(c)])
    for process in left:
        process.kill()
    assert not left, f"processes left behind: {left}"


@pytest.fixture(autouse=True)
def unchanged_environment() -> Iterator[None]:
    """Fail where a test changes `os.environ` and does not restore it."""
    before = dict(os.environ)
    yield
    after = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    before.pop("PYTEST_CURRENT_TEST", None)
    if after != before:
        os.environ.clear()
        os.environ.update(before)
    assert after == before, "the environment was changed"


@pytest.fixture(autouse=True)
def private_places(
    unchanged_environment: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Give each test a runs home and user folders of its own, and fail where a detached run outlives the test."""
    place = tmp_path_factory.mktemp("places")
    monkeypatch.setenv("LIGHTNING_TUI_HOME", str(place / "runs"))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(place / name.lower()))
    for name in ("LIGHTNING_TUI_RUN_DIR", "LIGHTNING_TUI_ATTEMPT", "LIGHTNING_PERSISTENT_PATH"):
        monkeypatch.delenv(name, raising=False)
    yield place
    left = _wait_until_gone(lambda: _processes_of_runs(place / "runs"))
    for process in left:
        process.kill()
    assert not left, f"runs left behind: {left}"


def wait_until(condition: Callable[[], object], patience_s: float = 60.0, what: str = "the condition") -> None:
    """Poll until `condition()` is true; fail after `patience_s` seconds."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come true within {patience_s:g} s")
        time.sleep(0.02)


def _wait_until_gone(find: Callable[[], list[LeftT]]) -> list[LeftT]:
    deadline = time.monotonic() + _LEAK_PATIENCE_S
    while (left := find()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def _processes_of_runs(home: Path) -> list[psutil.Process]:
    """Supervisors (by their command line) and programs (by their marker) of the runs below `home`."""
    return [p for p in psutil.process_iter() if _mentions(p, str(home))] if home.exists() else []


def _mentions(process: psutil.Process, home: str) -> bool:
    try:
        words = [*process.cmdline(), process.environ().get("LIGHTNING_TUI_RUN_DIR", "")]
    except psutil.Error:
        return False
    return any(word.startswith(home + os.sep) for word in words)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
