"""The borders of the house, seen from a fresh process: what importing a package brings with it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import lightning_tui

ROOT = Path(lightning_tui.__file__).parent
HEAVY = {"torch", "lightning", "pytorch_lightning", "numpy"}
PACKAGES = [
    "cli",
    "ui",
    "services",
    "launch",
    "diagnosis",
    "plan",
    "environment",
    "gpus",
    "output",
    "record",
    "settings",
]
PACKAGES += ["runner", "demo"]


def modules_after(code: str) -> set[str]:
    """Top-level and full names of all modules in a fresh interpreter after `code`."""
    script = f"import sys, json\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("package", PACKAGES)
def test_no_package_brings_torch_or_lightning(package: str) -> None:
    assert not modules_after(f"import lightning_tui.{package}") & HEAVY


@pytest.mark.parametrize("package", [p for p in PACKAGES if p != "ui"])
def test_textual_comes_with_the_ui_alone(package: str) -> None:
    assert not modules_after(f"import lightning_tui.{package}") & {"textual", "rich"}


DIAGNOSIS_FOR_ALL = {"Diagnosis", "Suggestion", "Advice", "RunAdviser", "Seen"}
DIAGNOSIS_FOR_ALL |= {"live", "advice_of_run"}
DIAGNOSIS_FOR_ALL |= {"apply", "flags", "one_line", "read_seen", "write_seen"}
"""Types, and what is done with a diagnosis that was made; to make one is for `services`."""


def test_cli_and_ui_have_no_diagnosis_made_but_by_services() -> None:
    taken = set()
    for package in ("cli", "ui"):
        for path in {*(ROOT / package).rglob("*.py")} - {ROOT / "ui" / "runs" / "services.py"}:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lightning_tui.diagnosis"):
                    taken |= {name.name for name in node.names}
    assert taken <= DIAGNOSIS_FOR_ALL


def test_the_supervisor_is_small() -> None:
    brought = modules_after("import lightning_tui.launch.supervisor")
    assert not brought & (HEAVY | {"textual", "rich", "pynvml"})


def test_the_runner_brings_nothing_but_the_standard_library() -> None:
    brought = modules_after("import lightning_tui.runner") - modules_after("pass")
    assert {name.partition(".")[0] for name in brought} - set(sys.stdlib_module_names) == {"lightning_tui"}


def test_the_command_line_answers_before_anything_slow_is_imported() -> None:
    brought = modules_after("import lightning_tui.cli.parser")
    assert not brought & (HEAVY | {"textual", "rich", "msgspec", "psutil", "pynvml", "platformdirs", "asyncio"})
