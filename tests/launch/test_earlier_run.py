"""What earlier runs of a program took: which of them speaks for it, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from lightning_tui.launch.earlier_run import earlier_run
from lightning_tui.launch.program import Program
from lightning_tui.plan.estimate import Calibration
from lightning_tui.plan.setting import Setting
from lightning_tui.record import ProgramRecord, RunStore
from lightning_tui.record.events import DeviceMemory, Hello, Progress, TrainerField, TrainerSeen
from lightning_tui.record.masking import MASK
from tests.record.events import make

GIB = 1 << 30


@pytest.fixture
def program(tmp_path: Path) -> Program:
    words = ["train.py", "--api-key", "secret"]
    return Program(label="train.py", given=words, shim_arguments=words, folder=tmp_path, interpreter=Path("python"))


class Home:
    """A runs home with invented runs of one program, each later than the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = RunStore(folder / "runs")
        self.now = 100.0

    def add(self, *, words: tuple[str, ...] = (), step: int = 10, peaks: tuple[int, ...] = (3 * GIB,)) -> str:
        self.now += 1
        given = ["train.py", "--api-key", MASK, *words]
        record = ProgramRecord(label="train.py", given=given, folder=str(self.folder), interpreter="python")
        directory, _ = self.store.create(program=record, plan={}, now=self.now)
        directory.prepare_attempt(0)
        for rank, peak in enumerate(peaks or (None,)):
            events: list[Any] = [make(Hello, rank=rank), make(Progress, global_step=step)]
            if rank == 0:
                events.append(make(TrainerSeen, world_size=2, fields=FIELDS))
            if peak is not None:
                events.append(make(DeviceMemory, peak_allocated=peak, **MEMORY))
            lines = [msgspec.json.encode(event) + b"\n" for event in events]
            (directory.events(0) / f"rank-{rank}.jsonl").write_bytes(b"".join(lines))
        return directory.id


MEMORY: dict[str, Any] = {
    "device": "cuda:0",
    "uuid": None,
    "allocated": 1,
    "reserved": 1,
    "peak_reserved": 1,
    "total": 80 * GIB,
}
FIELDS = {
    "strategy": TrainerField(None, None, "fsdp"),
    "precision": TrainerField("bf16-mixed", None, "bf16-mixed"),
    "batch_size": TrainerField(None, 8, 8),
    "activation_checkpointing": TrainerField(["Block"], None, ["Block"]),
    "fsdp_cpu_offload": TrainerField(True, None, True),
    "ddp_static_graph": TrainerField(None, None, None),
    "max_epochs": TrainerField(None, None, 3),
}


def test_the_newest_run_with_the_same_words_that_recorded_peaks_speaks(tmp_path: Path, program: Program) -> None:
    home = Home(tmp_path)
    assert earlier_run(home.store, program) is None
    home.add(peaks=(9 * GIB,))
    speaks = home.add(peaks=(3 * GIB, 4 * GIB))
    home.add(words=("--layers", "48"))
    home.add(peaks=())
    home.add(step=1)
    assert earlier_run(home.store, program) == (
        speaks,
        Calibration(
            4 * GIB,
            Setting(
                strategy="fsdp",
                precision="bf16-mixed",
                devices=2,
                batch_size=8,
                activation_checkpointing=True,
                options={"fsdp_cpu_offload": True},
            ),
        ),
    )


def test_a_run_that_cannot_be_read_is_passed_over(tmp_path: Path, program: Program) -> None:
    home = Home(tmp_path)
    speaks, broken = home.add(), home.add()
    (home.store.home / broken / "run.json").write_text("{")
    found = earlier_run(home.store, program)
    assert found is not None
    assert found[0] == speaks
