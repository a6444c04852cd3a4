"""The strategies of the program's own Lightning: asked for once, remembered until something changes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from lightning_tui.plan.catalog import KNOWN_STRATEGIES, UNREGISTERED
from lightning_tui.plan.registered import registered_strategies

ANSWER = """echo asked >>"$0.log"
echo noise
echo 'lightning-tui-strategies:["ddp", "mine"]'"""


def make_interpreter(folder: Path, body: str) -> Path:
    """Make up an interpreter that writes down each time that it is asked."""
    path = folder / "bin" / "python"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o700)
    (folder / "lib" / "python3.12" / "site-packages").mkdir(parents=True)
    return path


def times_asked(interpreter: Path) -> int:
    log = Path(f"{interpreter}.log")
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_the_answer_is_remembered(tmp_path: Path) -> None:
    interpreter = make_interpreter(tmp_path, ANSWER)
    assert registered_strategies(interpreter) == ["ddp", "mine"]
    assert registered_strategies(interpreter) == ["ddp", "mine"]
    assert times_asked(interpreter) == 1


@pytest.mark.parametrize("changed", ["bin/python", "lib/python3.12/site-packages"])
def test_it_is_asked_again_when_the_interpreter_or_its_packages_change(tmp_path: Path, changed: str) -> None:
    interpreter = make_interpreter(tmp_path, ANSWER)
    registered_strategies(interpreter)
    os.utime(tmp_path / changed, ns=(1, 1))
    registered_strategies(interpreter)
    assert times_asked(interpreter) == 2


def test_a_broken_memory_is_passed_over(tmp_path: Path) -> None:
    interpreter = make_interpreter(tmp_path, ANSWER)
    registered_strategies(interpreter)
    (cache,) = Path(os.environ["XDG_CACHE_HOME"]).rglob("strategies-*.json")
    cache.write_text('{"torn')
    assert registered_strategies(interpreter) == ["ddp", "mine"]


def test_without_a_place_to_remember_it_still_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert registered_strategies(make_interpreter(tmp_path, ANSWER)) == ["ddp", "mine"]


@pytest.mark.parametrize("body", ["exit 1", "echo hello", "echo 'lightning-tui-strategies:[1]'"])
def test_no_answer_is_an_empty_list_and_is_not_remembered(tmp_path: Path, body: str) -> None:
    assert registered_strategies(make_interpreter(tmp_path, body)) == []
    assert not list(Path(os.environ["XDG_CACHE_HOME"]).rglob("strategies-*.json"))


def test_an_interpreter_that_hangs_or_is_missing_gives_an_empty_list(tmp_path: Path) -> None:
    assert registered_strategies(make_interpreter(tmp_path, "exec sleep 60"), timeout_s=0.2) == []
    assert registered_strategies(tmp_path / "nowhere") == []


def test_a_compromised_release_is_never_imported(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    (packages / "lightning").mkdir(parents=True)
    (packages / "lightning" / "__init__.py").write_text(f"open({str(tmp_path / 'stolen')!r}, 'w')")
    (packages / "lightning-2.6.3.dist-info").mkdir()
    (packages / "lightning-2.6.3.dist-info" / "METADATA").write_text("Name: lightning\nVersion: 2.6.3\n")
    interpreter = make_interpreter(tmp_path, f'PYTHONPATH={packages} exec {sys.executable} "$@"')
    assert registered_strategies(interpreter) == []
    assert not (tmp_path / "stolen").exists()


@pytest.mark.e2e
def test_the_names_we_know_are_those_of_the_lightning_that_is_installed() -> None:
    assert set(registered_strategies(Path(sys.executable))) == set(KNOWN_STRATEGIES) - UNREGISTERED
