"""What a program that is started inside a Slurm allocation, but not by srun, is told of it."""

from __future__ import annotations

import os
from typing import Any

import pytest

from lightning_tui.launch.allocation import allocation_change
from tests.launch.support import Runs, wait_for_end

TWO = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "2", "SLURM_JOB_NAME": "train"}


@pytest.mark.parametrize(
    ("environ", "devices"),
    [
        (TWO, None),
        ({**TWO, "SLURM_NTASKS_PER_NODE": "2"}, 2),
        ({"SLURM_NTASKS": "2"}, None),
        ({**TWO, "SLURM_NTASKS": "1"}, 2),
        ({**TWO, "SLURM_NTASKS": "1"}, "auto"),
        ({**TWO, "SLURM_NTASKS": "1"}, [0, 1]),
        ({**TWO, "SLURM_NTASKS": "1", "SLURM_STEP_ID": "0"}, 4),  # srun --pty, one task for several GPUs
        ({**TWO, "SLURM_STEP_ID": "4294967290", "SLURM_STEP_NUM_TASKS": "1"}, None),  # salloc's own step
    ],
)
def test_lightning_is_to_start_its_own_ranks(environ: dict[str, str], devices: Any) -> None:
    change = allocation_change(environ, devices)
    assert change is not None
    assert change.variables == {"SLURM_JOB_NAME": "interactive"}
    assert f"SLURM_NTASKS={environ['SLURM_NTASKS']}" in change.reason


@pytest.mark.parametrize(
    ("environ", "devices"),
    [
        ({}, 2),
        ({"SLURM_JOB_ID": "7"}, 2),
        ({**TWO, "SLURM_JOB_NAME": "bash"}, 2),
        ({**TWO, "SLURM_JOB_NAME": "interactive"}, None),
        ({**TWO, "SLURM_NTASKS": "1"}, None),
        ({**TWO, "SLURM_NTASKS": "1"}, 1),
        ({**TWO, "SLURM_NTASKS": "1"}, [3]),
        ({**TWO, "SLURM_STEP_ID": "0"}, None),
        ({**TWO, "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2"}, 2),
    ],
)
def test_nothing_is_changed_where_slurm_started_the_ranks_or_is_ignored_anyway(
    environ: dict[str, str], devices: Any
) -> None:
    assert allocation_change(environ, devices) is None


def test_a_run_gets_it_and_its_record_says_why(runs: Runs) -> None:
    source = "import os\nprint(os.environ['SLURM_JOB_NAME'], os.environ['SLURM_NTASKS'])\n"
    directory = runs.start(source, environ={**os.environ, **TWO})
    wait_for_end(directory)
    assert directory.output(0, 0).read_text() == "interactive 2\n"
    assert "SLURM_NTASKS=2 without srun" in directory.read_record().environment["slurm"]
