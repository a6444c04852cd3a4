"""The borders of the house, seen from a fresh process: what comes with every module of a package, one process each.

Each check is shown to fail: the house is copied, and a border broken in the copy.
"""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import lightning_tui

HEAVY = {"torch", "lightning", "pytorch_lightning", "numpy"}
SCREEN = {"textual", "rich"}
SLOW = {"msgspec", "psutil", "pynvml", "platformdirs", "asyncio"}

HOUSE = Path(lightning_tui.__file__).parent
PACKAGES = sorted({path.parent.name for path in HOUSE.glob("*/__init__.py")} - {"runner"})
A_PROGRAM = "demo.train"
"""Trains with Lightning, in a process of its own."""

RUNNER = Path("runner", "lightning_tui_runner")
EXCEPTIONS = {
    "callback_of_lightning": {"lightning"},
    "callback_of_pytorch_lightning": {"pytorch_lightning"},
    "trial.measuring": {"torch"},
}
"""Modules of the runner whose classes derive from the program's own: imported when the program has imported those."""
THE_PROGRAMS_OWN = {"torch", "lightning", "pytorch_lightning"}
TYPES_ALONE = {"typing_extensions"}


# --- The checks: each takes the folder of a `lightning_tui`, and returns what has no business there ------------------


def brought(root: Path, modules: Iterable[str], prepare: str = "sys.path.insert(0, sys.argv[1])") -> set[str]:
    """Top-level names of all that a fresh interpreter has imported after `modules`, and had not before."""
    script = (
        f"import sys, json\nbefore = set(sys.modules)\n{prepare}\n"
        "for name in sys.argv[2:]: __import__(name)\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in set(sys.modules) - before})))"
    )
    words = [sys.executable, "-c", script, str(root), *modules]
    done = subprocess.run(words, capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def names_in(folder: Path, prefix: str) -> dict[str, Path]:
    """Every module that lies in a package's folder, by its name."""
    found = {".".join(path.relative_to(folder).with_suffix("").parts): path for path in sorted(folder.rglob("*.py"))}
    return {f"{prefix}.{name}".removesuffix(".__init__"): path for name, path in found.items()}


def heavy_in(house: Path, package: str) -> set[str]:
    forbidden = HEAVY if package == "ui" else HEAVY | SCREEN
    modules = names_in(house / package, f"lightning_tui.{package}").keys() - {f"lightning_tui.{A_PROGRAM}"}
    return brought(house.parent, sorted(modules)) & forbidden


def heavy_beside(house: Path) -> set[str]:
    """In the single files beside the packages."""
    return brought(house.parent, [f"lightning_tui.{path.stem}" for path in house.glob("*.py")]) & (HEAVY | SCREEN)


def too_much_for_a_supervisor(house: Path) -> set[str]:
    return brought(house.parent, ["lightning_tui.launch.supervisor"]) & (HEAVY | SCREEN | {"pynvml"})


def slow_for_a_command_line(house: Path) -> set[str]:
    return brought(house.parent, ["lightning_tui.cli.parser"]) & (HEAVY | SCREEN | SLOW)


def foreign_to_the_runner(house: Path) -> set[str]:
    """Found on the path as the shim puts it there. The standard library alone may come with it."""
    modules = names_in(house / RUNNER, RUNNER.name).keys() - {f"{RUNNER.name}.{name}" for name in EXCEPTIONS}
    found = brought(house / RUNNER.parent, sorted(modules), "sys.path.append(sys.argv[1])")
    return found - sys.stdlib_module_names - {RUNNER.name}


def foreign_by_late_import(house: Path) -> set[str]:
    """What the runner imports inside functions comes from the program's interpreter, which has ours only by chance."""
    modules = names_in(house / RUNNER, RUNNER.name).values()
    return set().union(*map(foreign_words, modules)) - THE_PROGRAMS_OWN - TYPES_ALONE


def exceptions_that_differ(house: Path) -> set[str]:
    modules = names_in(house / RUNNER, RUNNER.name)
    return {name for name, takes in EXCEPTIONS.items() if foreign_words(modules[f"{RUNNER.name}.{name}"]) != takes}


def foreign_words(path: Path) -> set[str]:
    """Top-level names beyond the standard library in the import statements of a file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found - sys.stdlib_module_names


# --- The borders hold -------------------------------------------------------------------------------------------------

CHECKS = [
    heavy_beside,
    too_much_for_a_supervisor,
    slow_for_a_command_line,
    foreign_to_the_runner,
    foreign_by_late_import,
    exceptions_that_differ,
]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_brings_torch_or_lightning_nor_textual_but_for_the_ui(package: str) -> None:
    assert heavy_in(HOUSE, package) == set()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_border_holds(check: Callable[[Path], set[str]]) -> None:
    assert check(HOUSE) == set()


DIAGNOSIS_FOR_ALL = {"Diagnosis", "Suggestion", "Advice", "RunAdviser", "Seen"}
DIAGNOSIS_FOR_ALL |= {"live", "advice_of_run"}
DIAGNOSIS_FOR_ALL |= {"apply", "flags", "one_line", "read_seen", "write_seen"}
"""Types, and what is done with a diagnosis that was made; to make one is for `services`."""


def test_cli_and_ui_have_no_diagnosis_made_but_by_services() -> None:
    taken = set()
    for package in ("cli", "ui"):
        for path in (HOUSE / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lightning_tui.diagnosis"):
                    taken |= {name.name for name in node.names}
    assert taken <= DIAGNOSIS_FOR_ALL


# --- And can break ----------------------------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return shutil.copytree(HOUSE, tmp_path / "lightning_tui")


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(f"\n{text}\n")


@pytest.mark.parametrize("package", PACKAGES)
def test_torch_and_textual_are_seen_in_whichever_module(package: str, copy: Path) -> None:
    """Stand-ins for them are quick, and are there on every machine."""
    wanted = ["torch"] if package == "ui" else ["torch", "textual"]
    for name in wanted:
        (copy.parent / f"{name}.py").touch()
        add(_last_module(copy / package), f"import {name}")
    assert heavy_in(copy, package) == set(wanted)


def _last_module(folder: Path) -> Path:
    modules = [path for path in sorted(folder.rglob("*.py")) if path.name not in ("__init__.py", "train.py")]
    return modules[-1] if modules else folder / "__init__.py"


BREAKS: dict[str, tuple[Callable[[Path], set[str]], str, str, str]] = {
    "beside": (heavy_beside, "settings.py", "import numpy", "numpy"),
    "supervisor": (too_much_for_a_supervisor, "record/samples.py", "import pynvml", "pynvml"),
    "command line": (slow_for_a_command_line, "cli/parser.py", "import msgspec", "msgspec"),
    "runner, numpy": (foreign_to_the_runner, f"{RUNNER}/process/place.py", "import numpy", "numpy"),
    "runner, ours": (foreign_to_the_runner, f"{RUNNER}/plan/strategies.py", "import lightning_tui", "lightning_tui"),
    "runner, top": (foreign_to_the_runner, f"{RUNNER}/shim.py", "import psutil", "psutil"),
    "runner, late": (foreign_by_late_import, f"{RUNNER}/steering/rates.py", "def f():\n    import psutil", "psutil"),
    "callbacks": (
        exceptions_that_differ,
        f"{RUNNER}/callback_of_lightning.py",
        "import torch",
        "callback_of_lightning",
    ),
    "measuring": (exceptions_that_differ, f"{RUNNER}/trial/measuring.py", "import numpy", "trial.measuring"),
}


@pytest.mark.parametrize("case", BREAKS)
def test_a_broken_border_is_seen(case: str, copy: Path) -> None:
    check, name, text, found = BREAKS[case]
    add(copy / name, text)
    assert found in check(copy)


def test_every_check_is_broken_once() -> None:
    assert {check for check, *_ in BREAKS.values()} == set(CHECKS)
