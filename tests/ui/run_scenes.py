"""Scenes of the runs screen: an invented runs home, told by fakes that remember what was asked of them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lightning_tui.plan.model import Plan
from lightning_tui.record import RunDirectory, RunSnapshot, Series
from lightning_tui.record.checkpoints import Checkpoint
from lightning_tui.record.summaries import summarize
from lightning_tui.refusal import RefusalError
from lightning_tui.services.programs import ProgramChoice
from lightning_tui.ui.runs.lines import UNREADABLE, RunLine, Value
from lightning_tui.ui.runs.services import Origin, PruneRule, RunDetails, RunServices, line_of

if TYPE_CHECKING:
    from tests.ui.scenes import FakeOutside

NOW = 1_790_000_751.0
GIB = 1 << 30
MIB = 1 << 20


class FakeRuns:
    """Answers from a scene, and remembers there what was asked."""

    def __init__(self, outside: FakeOutside) -> None:
        self.outside = outside
        self.gone: set[str] = set()

    def lines(self) -> Iterator[RunLine]:
        outside = self.outside
        if outside.refusal is not None:
            raise RefusalError(outside.refusal)
        found = outside.lines if outside.lines is not None else tuple(map(_line_of_snapshot, outside.runs))
        yield from (line for line in found if line.directory not in self.gone)

    def line(self, directory: RunDirectory) -> RunLine:
        found = next((one for one in self.lines() if one.directory == str(directory.path)), None)
        if found is None:
            raise RefusalError(f"{directory.path / 'run.json'} cannot be read: No such file or directory.")
        return found

    def details(self, directory: RunDirectory) -> RunDetails:
        self.line(directory)
        run = next((one for one in self.outside.runs if one.directory == str(directory.path)), None)
        if run is None:
            raise RefusalError("This scene tells no more of it.")
        return RunDetails(run, self.outside.checkpoints, "GPU memory is full" if run.state.value == "failed" else "")

    def delete(self, directory: RunDirectory) -> None:
        if not self.line(directory).is_over:
            raise RefusalError(f"The run {directory.id} is alive. Stop it first: lightning-tui stop {directory.id}")
        self.gone.add(str(directory.path))
        self.outside.asked.append(("delete", directory.path))

    def prunable(self, rule: PruneRule) -> tuple[RunLine, ...]:
        self.outside.asked.append(("prune", rule))
        return tuple(one for one in self.lines() if one.is_over and one.is_readable)[-2:]

    def write_words(self, directory: RunDirectory, name: str, note: str) -> None:
        self.outside.asked.append(("words", (directory.id, name, note)))
        changed = msgspec.structs.replace(self.line(directory), name=name, note=note)
        assert self.outside.lines is not None
        self.outside.lines = tuple(
            changed if line.directory == changed.directory else line for line in self.outside.lines
        )

    def plan_of_child(self, origin: Origin) -> Plan:
        run = self.details(origin.run).snapshot
        return Plan(**run.record.plan, ckpt_path=origin.checkpoint)  # type: ignore[arg-type]

    def relaunch(self, origin: Origin, program: ProgramChoice, plan: Plan) -> RunDirectory:
        self.outside.asked.append(("relaunch", (origin.run.id, origin.checkpoint, program.given, plan.changes())))
        assert self.outside.snapshot is not None
        return RunDirectory(Path(self.outside.snapshot.directory))


def run_services(outside: FakeOutside) -> RunServices:
    """What the screen asks, answered from the scene."""
    fake = FakeRuns(outside)
    return RunServices(
        lines=fake.lines,
        line=fake.line,
        mark=lambda: (len(fake.gone), outside.mark),
        details=fake.details,
        prunable=fake.prunable,
        delete=fake.delete,
        write_words=fake.write_words,
        plan_of_child=fake.plan_of_child,
        relaunch=fake.relaunch,
    )


def _line_of_snapshot(run: RunSnapshot) -> RunLine:
    return line_of(summarize(RunDirectory(Path(run.directory)), run))


def runs_home(folder: Path) -> tuple[tuple[RunLine, ...], tuple[RunSnapshot, ...]]:
    """A runs home of a few days: lines for the list, and what is told of four of the runs."""
    from tests.ui import scenes

    training, failed, finished, lost = (
        make(folder) for make in (scenes.training, scenes.failed, scenes.finished, scenes.lost)
    )
    finished = _renamed(finished, folder, "train-5c2e90", created_at=NOW - 9400)
    finished = msgspec.structs.replace(finished, metrics=_curves(1.18, 5000))
    failed = msgspec.structs.replace(failed, metrics=_curves(1.74, 480))
    lost = msgspec.structs.replace(lost, metrics=_curves(0.93, 1900))
    failed = _renamed(
        failed, folder, "train-91b0d4", created_at=NOW - 90_000, parent="train-5c2e90", plan={"precision": "32-true"}
    )
    lost = _renamed(lost, folder, "finetune-e07c12", created_at=NOW - 260_000)
    runs = (training, finished, failed, lost)
    sizes = (int(1.46 * GIB), int(4.31 * GIB), 212 * MIB, 890 * MIB)
    told = [msgspec.structs.replace(_line_of_snapshot(run), size=size) for run, size in zip(runs, sizes, strict=True)]
    told[0] = msgspec.structs.replace(told[0], parent="train-5c2e90")
    told[1] = msgspec.structs.replace(told[1], name="baseline", note="the one in the paper: 10 epochs, cosine")
    told[2] = msgspec.structs.replace(told[2], note="does not fit without bf16")
    more = [
        _invented(folder, "train-0b7742", "stopped", 3 * 86_400, 0.61, 1.39, 2 * GIB),
        _invented(folder, "sweep-lr-3f1c55", "killed", 4 * 86_400, 0.08, 2.71, 61 * MIB),
        _invented(folder, "sweep-lr-aa0e19", "finished", 5 * 86_400, 1.0, 1.31, 3 * GIB, note="lr 3e-4"),
        _invented(folder, "sweep-lr-2f0d63", "finished", 5 * 86_400 + 700, 1.0, 1.52, 3 * GIB, note="lr 1e-3"),
        _invented(folder, "demo-c41d08", "finished", 8 * 86_400, 1.0, 0.412, 9 * MIB),
    ]
    broken = RunLine(
        id="train-newer-6d2b11",
        directory=str(folder / "train-newer-6d2b11"),
        state=UNREADABLE,
        detail="run.json has format version 7; this lightning-tui reads up to 1. Update it.",
    )
    return (*told, *more, broken), runs


def _renamed(run: RunSnapshot, folder: Path, run_id: str, **record: object) -> RunSnapshot:
    from tests.ui.scenes import replace_struct

    changed = replace_struct(run.record, id=run_id, **record)
    return replace_struct(run, record=changed, directory=str(folder / run_id))


def _curves(end: float, steps: int) -> dict[str, Series]:
    """Losses that fall towards `end`; those of validation turn upwards after a while."""
    chance = random.Random(steps)
    train, val = Series(), Series()
    for step in range(0, steps, 8):
        train.add(step, end + 3 * math.exp(-step / 400) + chance.gauss(0, 0.06))
    for step in range(100, steps, 100):
        val.add(step, end + 0.08 + 2.9 * math.exp(-step / 380) + max(0, step - 2600) / 9000 + chance.gauss(0, 0.01))
    return {"train_loss": train, "val_loss": val}


def _invented(
    folder: Path, run_id: str, state: str, age: float, fraction: float, best: float, size: int, note: str = ""
) -> RunLine:
    chance = random.Random(run_id)
    took = 400 + 9000 * chance.random()
    program = f"{run_id.rpartition('-')[0]}.py" if not run_id.startswith("demo") else "demo"
    return RunLine(
        id=run_id, directory=str(folder / run_id), state=state, program=program, note=note, created_at=NOW - age,
        started_at=NOW - age + 4, ended_at=NOW - age + took, fraction=fraction, best=Value("val_loss", best, 900),
        last=Value("val_loss", best * (1.0 + chance.random() / 9), 1100), size=size,
    )  # fmt: skip


def thousands(folder: Path, amount: int = 2000) -> tuple[RunLine, ...]:
    """Very many runs."""
    states = ("finished", "failed", "stopped", "killed")
    return tuple(
        _invented(
            folder, f"train-{number:06x}", states[number % 4], 60.0 * number, 0.5, 1 + number / 1000, number * MIB
        )
        for number in range(amount)
    )


def checkpoints() -> tuple[Checkpoint, ...]:
    """Newest first: one that is being torn, four that are whole, and one of a time when the loss was NaN."""

    def one(step: int, epoch: int, loss: float, problem: str | None = None, is_complete: bool = True) -> Checkpoint:
        return Checkpoint(
            path=f"/r/checkpoints/epoch={epoch}-step={step}.ckpt", global_step=step, epoch=epoch, size=int(1.42 * GIB),
            saved_at=NOW - 3000 + step, metrics={"val_loss": loss, "train_loss": loss * 1.1, "lr-AdamW": 3e-4},
            is_complete=is_complete, problem=problem,
        )  # fmt: skip

    return (
        one(1200, 9, 1.21, "the file has 812340000 of 1524713390 bytes", is_complete=False),
        one(1100, 8, 1.24),
        one(1000, 7, 1.29),
        one(900, 6, float("nan"), "train_loss was nan by then, and so are its weights"),
        one(800, 5, 1.41),
        one(400, 2, 2.02),
    )
