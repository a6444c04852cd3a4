"""Scenes of the runs screen: an invented runs home, told by fakes that remember what was asked of them."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_tui.plan.model import Plan
from lightning_tui.record import ProgressView, RunDirectory, RunSnapshot, RunState, Series, UnreadableRun
from lightning_tui.record.best import MetricSummary
from lightning_tui.record.checkpoints import Checkpoint
from lightning_tui.record.comparison import compare_runs
from lightning_tui.record.summaries import RunSummary, summarize
from lightning_tui.refusal import RefusalError
from lightning_tui.services.programs import ProgramChoice
from lightning_tui.services.runs import (
    ComparedRuns,
    Deletion,
    ListedRun,
    Origin,
    PlannedChild,
    PruneRule,
    Pruning,
    RunDetails,
    directory_of,
)
from lightning_tui.ui.runs.listing import is_over, total_size
from lightning_tui.ui.services import RunServices
from tests.ui.machines import GIB, NOW, replace_struct

if TYPE_CHECKING:
    from tests.ui.outside import FakeOutside

MIB = 1 << 20


class FakeRuns:
    """Answers from a scene, and remembers there what was asked."""

    def __init__(self, outside: FakeOutside) -> None:
        self.outside = outside
        self.gone: set[str] = set()

    def runs(self) -> Iterator[ListedRun]:
        outside = self.outside
        if outside.refusal is not None:
            raise RefusalError(outside.refusal)
        found = outside.listed if outside.listed is not None else tuple(map(_summary, outside.runs))
        yield from (run for run in found if run.directory not in self.gone)

    def listed(self, directory: RunDirectory) -> ListedRun:
        found = next((one for one in self.runs() if one.directory == str(directory.path)), None)
        if found is None:
            raise RefusalError(f"{directory.path / 'run.json'} cannot be read: No such file or directory.")
        return found

    def run(self, directory: RunDirectory) -> RunSummary:
        found = self.listed(directory)
        if isinstance(found, UnreadableRun):
            raise RefusalError(found.problem)
        return found

    def details(self, directory: RunDirectory) -> RunDetails:
        self.run(directory)
        run = next((one for one in self.outside.runs if one.directory == str(directory.path)), None)
        if run is None:
            raise RefusalError("This scene tells no more of it.")
        return RunDetails(run, self.outside.checkpoints, "GPU memory is full" if run.state.value == "failed" else "")

    def compare(self, first: RunDirectory, second: RunDirectory) -> ComparedRuns:
        one, other = (self.details(directory).snapshot for directory in (first, second))
        return ComparedRuns(one, other, compare_runs(one, other, NOW))

    def delete(self, directories: Sequence[RunDirectory], rule: PruneRule | None) -> Deletion:
        still = None if rule is None else {run.id for run in self.prunable(rule).doomed}
        deleted: list[ListedRun] = []
        refusals: list[str] = []
        for directory in (one for one in directories if still is None or one.id in still):
            try:
                deleted.append(self._deleted(directory))
            except RefusalError as error:
                refusals.append(str(error))
        return Deletion(tuple(map(directory_of, deleted)), total_size(deleted), tuple(refusals))

    def _deleted(self, directory: RunDirectory) -> ListedRun:
        found = self.listed(directory)
        if not is_over(found):
            raise RefusalError(
                f"The run {directory.id} is still active. Stop it first: lightning-tui stop {directory.id}"
            )
        self.gone.add(found.directory)
        self.outside.asked.append(("delete", directory.path))
        return found

    def prunable(self, rule: PruneRule) -> Pruning:
        self.outside.asked.append(("prune", rule))
        readable = tuple(one for one in self.runs() if isinstance(one, RunSummary))
        return Pruning(tuple(one for one in readable if one.is_over)[-2:], readable)

    def write_notes(self, directory: RunDirectory, name: str, note: str) -> None:
        self.outside.asked.append(("words", (directory.id, name, note)))
        changed = replace_struct(self.run(directory), name=name, note=note)
        assert self.outside.listed is not None
        self.outside.listed = tuple(
            changed if run.directory == changed.directory else run for run in self.outside.listed
        )

    def plan_child(self, origin: Origin) -> PlannedChild:
        run = self.details(origin.run).snapshot
        return PlannedChild(origin, run, Plan(**run.record.plan, ckpt_path=origin.checkpoint))  # type: ignore[arg-type]

    def relaunch(self, origin: Origin, program: ProgramChoice, plan: Plan) -> RunDirectory:
        self.outside.asked.append(("relaunch", (origin.run.id, origin.checkpoint, program.given, plan.changes())))
        assert self.outside.snapshot is not None
        return RunDirectory(Path(self.outside.snapshot.directory))


def run_services(outside: FakeOutside) -> RunServices:
    """What the screen asks, answered from the scene."""
    fake = FakeRuns(outside)
    return RunServices(
        runs=fake.runs,
        run=fake.run,
        mark=lambda: (len(fake.gone), outside.mark),
        details=fake.details,
        compare=fake.compare,
        prunable=fake.prunable,
        delete=fake.delete,
        write_notes=fake.write_notes,
        plan_child=fake.plan_child,
        relaunch=fake.relaunch,
    )


def _summary(run: RunSnapshot) -> RunSummary:
    return summarize(directory_of(run), run)


def runs_home(folder: Path) -> tuple[tuple[ListedRun, ...], tuple[RunSnapshot, ...]]:
    """A runs home of a few days: lines for the list, and what is told of four of the runs."""
    from tests.ui import scenes

    training, failed, finished, lost = (
        make(folder) for make in (scenes.training, scenes.failed, scenes.finished, scenes.lost)
    )
    finished = _renamed(finished, folder, "train-5c2e90", created_at=NOW - 9400)
    finished = replace_struct(finished, metrics=_curves(1.18, 5000))
    failed = replace_struct(failed, metrics=_curves(1.74, 480))
    lost = replace_struct(lost, metrics=_curves(0.93, 1900))
    failed = _renamed(
        failed, folder, "train-91b0d4", created_at=NOW - 90_000, parent="train-5c2e90", plan={"precision": "32-true"}
    )
    lost = _renamed(lost, folder, "finetune-e07c12", created_at=NOW - 260_000)
    runs = (training, finished, failed, lost)
    sizes = (int(1.46 * GIB), int(4.31 * GIB), 212 * MIB, 890 * MIB)
    told = [replace_struct(_summary(run), size=size) for run, size in zip(runs, sizes, strict=True)]
    told[0] = replace_struct(told[0], parent="train-5c2e90")
    told[1] = replace_struct(told[1], name="baseline", note="the one in the paper: 10 epochs, cosine")
    told[2] = replace_struct(told[2], note="does not fit without bf16")
    more = [
        _invented(folder, "train-0b7742", "stopped", 3 * 86_400, 0.61, 1.39, 2 * GIB),
        _invented(folder, "sweep-lr-3f1c55", "killed", 4 * 86_400, 0.08, 2.71, 61 * MIB),
        _invented(folder, "sweep-lr-aa0e19", "finished", 5 * 86_400, 1.0, 1.31, 3 * GIB, note="lr 3e-4"),
        _invented(folder, "sweep-lr-2f0d63", "finished", 5 * 86_400 + 700, 1.0, 1.52, 3 * GIB, note="lr 1e-3"),
        _invented(folder, "demo-c41d08", "finished", 8 * 86_400, 1.0, 0.412, 9 * MIB),
    ]
    broken = UnreadableRun(
        id="train-newer-6d2b11",
        directory=str(folder / "train-newer-6d2b11"),
        problem="run.json has format version 7; this lightning-tui reads up to 1. Update it.",
    )
    return (*told, *more, broken), runs


def _renamed(run: RunSnapshot, folder: Path, run_id: str, **record: object) -> RunSnapshot:
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
) -> RunSummary:
    chance = random.Random(run_id)
    took = 400 + 9000 * chance.random()
    program = f"{run_id.rpartition('-')[0]}.py" if not run_id.startswith("demo") else "demo"
    last = best * (1.0 + chance.random() / 9)
    metric = MetricSummary(name="val_loss", last=last, last_step=1100, mode="min", best=best, best_step=900)
    progress = ProgressView(
        stage="train", epoch=0, max_epochs=None, global_step=1100, max_steps=None, batch=0, total_batches=None,
        fraction=fraction, eta_s=None,
    )  # fmt: skip
    return RunSummary(
        id=run_id, directory=str(folder / run_id), state=RunState(state), detail="", is_over=True, program=program,
        folder="", created_at=NOW - age, started_at=NOW - age + 4, ended_at=NOW - age + took, progress=progress,
        metric=metric, size=size, host=None, parent=None, name=None, note=note or None,
    )  # fmt: skip


def thousands(folder: Path, amount: int = 2000) -> tuple[RunSummary, ...]:
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
        one(900, 6, float("nan"), "train_loss was already nan, so its weights are lost too"),
        one(800, 5, 1.41),
        one(400, 2, 2.02),
    )
