"""Failures of real programs, each started as a run and told from its directory alone: what, where, on which rank."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from lightning_tui.record import RunDirectory
from tests.conftest import wait_until
from tests.failures import machines
from tests.failures.failing import PROGRAMS, Lab, check_place
from tests.launch.support import program_pid

pytestmark = pytest.mark.e2e


@pytest.fixture
def lab(private_places: Path, tmp_path: Path) -> Lab:
    return Lab(private_places / "runs", tmp_path)


class Case(NamedTuple):
    """A program, and what is to be said of its failure."""

    words: str
    category: str
    evidence: str
    """Part of the line that the diagnosis rests on."""
    machine: Callable[[Path], Path] | None = None


CASES = [
    Case("missing_module.py", "missing-module", "No module named 'segmentation_models_of_the_lab'"),
    Case("open_files.py", "too-many-open-files", "Too many open files",
         lambda p: machines.limited(p, machines.FEW_FILES)),
    Case("read_only.py", "read-only-filesystem", "Read-only file system: 'scratch/results'",
         lambda p: machines.with_mounts(p, machines.READ_ONLY_DISK)),
    Case("permission.py", "permission-denied", "Permission denied: 'labels.csv'", machines.without_roots_rights),
    Case("full_device.py", "disk-full", "No space left on device"),
    Case("shapes.py", "shape-mismatch", "mat1 and mat2 shapes cannot be multiplied (4x32 and 64x10)"),
    Case("dtypes.py", "dtype-mismatch", "must have the same dtype"),
    Case("indices.py", "embedding-index-range", "index out of range in self"),
    Case("other_weights.py", "state-dict-mismatch", "Error(s) in loading state_dict for Sequential"),
    Case("torn_weights.py", "checkpoint-corrupted", "failed finding central directory"),
    Case("port_in_use.py", "address-in-use", "EADDRINUSE"),
    Case("unreadable_sample.py", "dataset-exception", "No such file or directory: 'picture-0.png'"),
    Case("removed_argument.py", "trainer-removed-arg", "unexpected keyword argument 'gpus'"),
    Case("no_training_step.py", "missing-training-step", "No `training_step()` method defined"),
    Case("two_lightnings.py", "lightning-pl-mixing", "`model` must be a `LightningModule`"),
]  # fmt: skip


RELAUNCHED = {"too-many-open-files", "address-in-use"}
"""Their first fix is tried in `test_first_fix.py`."""


@pytest.mark.parametrize("case", CASES, ids=[case.category for case in CASES])
def test_a_failure_is_told_with_its_place(case: Case, lab: Lab) -> None:
    interpreter = case.machine(lab.folder) if case.machine else None
    run = lab.suffer(case.words.split(), interpreter=interpreter)
    assert (run.root.category, run.root.rank, run.root.severity) == (case.category, 0, "error"), run.last_words
    assert case.evidence in run.root.evidence.text
    assert run.root.evidence.line is not None
    assert case.evidence in run.output.splitlines()[run.root.evidence.line - 1]
    check_place(run.root.where, case.words)
    has_fix = any(suggestion.changes is not None for suggestion in run.root.suggestions)
    assert has_fix == (case.category in RELAUNCHED), "a fix is offered: relaunch it"


def test_a_syntax_error(lab: Lab) -> None:
    (lab.folder / "unclosed.py").write_text("import torch\n\nmodel = torch.nn.Linear(4,\n")
    root = lab.suffer(["unclosed.py"]).root
    assert (root.category, root.rank) == ("syntax-error", 0)
    assert root.where is not None
    assert (Path(root.where.path).name, root.where.line) == ("unclosed.py", 3)


def test_a_config_that_the_command_line_refuses(lab: Lab) -> None:
    (lab.folder / "config.yaml").write_text("trainer:\n  max_epochs: many\n")
    run = lab.suffer(["configured.py", "fit", "--config", "config.yaml"])
    assert (run.root.category, run.root.rank) == ("cli-config", 0), run.last_words
    assert "trainer.max_epochs" in run.root.cause


def test_a_native_crash(lab: Lab) -> None:
    run = lab.suffer(["segmentation_fault.py"])
    assert (run.root.category, run.root.rank) == ("segfault", 0), run.last_words
    check_place(run.root.where, "segmentation_fault.py")


def test_a_native_crash_without_a_word(lab: Lab) -> None:
    (lab.folder / "crash.py").write_text("import ctypes\nctypes.string_at(16)\n")
    run = lab.suffer(["crash.py"])
    assert (run.root.category, run.root.rank) == ("segfault", 0), run.last_words


def test_ctrl_c(lab: Lab) -> None:
    def press(directory: RunDirectory) -> None:
        wait_until((lab.folder / "ready").exists)
        os.kill(program_pid(directory), signal.SIGINT)

    run = lab.suffer(["interrupted.py"], meanwhile=press)
    assert (run.root.category, run.root.rank) == ("keyboard-interrupt", 0), run.last_words
    check_place(run.root.where, "interrupted.py")


def test_a_program_that_ends_itself(lab: Lab) -> None:
    run = lab.suffer(["early_exit.py"])
    assert (run.root.category, run.root.rank) == ("program-exit", 0), run.last_words


def test_every_program_is_tried() -> None:
    tried = {case.words.split()[0] for case in CASES}
    words = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    names = {path.name for path in PROGRAMS.glob("*.py")} - {"lesson.py"}
    assert {name for name in names if name not in tried and f'"{name}"' not in words} == set()
