"""Two runs side by side, and which metric speaks for a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lightning_tui.record import RunDirectory, RunSnapshot, RunStore, Series, read_snapshot
from lightning_tui.record.append import EventLog
from lightning_tui.record.best import leading_metric, mode_of
from lightning_tui.record.comparison import compare_runs
from lightning_tui.record.events import (
    Ended,
    Hello,
    Metrics,
    Points,
    Progress,
    SupervisorStarted,
    TrainerField,
    TrainerSeen,
)
from tests.record.events import _DEFAULTS, make
from tests.record.test_store import program


def a_run(
    home: Path, plan: dict[str, Any], actual: dict[str, Any], metrics: dict[str, list[Any]], took: float = 100.0
) -> RunSnapshot:
    directory, _ = RunStore(home).create(program=program(), plan=plan, now=1.0)
    times = iter([1000.0, 1000.0 + took])
    supervisor = EventLog(directory.supervisor_log(0), clock=lambda: next(times))
    supervisor.append(SupervisorStarted, **_DEFAULTS[SupervisorStarted])
    supervisor.append(Ended, **_DEFAULTS[Ended])
    log = EventLog(directory.events(0) / "rank-0.jsonl")
    log.append(Hello, **_DEFAULTS[Hello])
    fields = {name: TrainerField(requested=plan.get(name), actual=value) for name, value in actual.items()}
    log.append(TrainerSeen, **{**_DEFAULTS[TrainerSeen], "fields": fields})
    log.append(Progress, **_DEFAULTS[Progress])
    for name, values in metrics.items():
        log.append(Metrics, epoch=0, series={name: Points(list(range(len(values))), values)})
    return read_snapshot(directory)


def test_fields_differ_as_planned_or_as_in_effect(tmp_path: Path) -> None:
    base = {"precision": "32-true", "max_epochs": 3, "devices": 1, "batch_size": 8}
    first = a_run(tmp_path, {"max_epochs": 3}, base, {})
    second = a_run(tmp_path, {"precision": "bf16-mixed"}, {**base, "precision": "bf16-mixed", "batch_size": 16}, {})
    found = {field.name: (field.planned, field.actual) for field in compare_runs(first, second, 0.0).fields}
    assert found == {
        "precision": ((None, "bf16-mixed"), ("32-true", "bf16-mixed")),
        "max_epochs": ((3, None), (3, 3)),
        "batch_size": ((None, None), (8, 16)),
    }


def test_each_runs_own_folder_is_no_difference(tmp_path: Path) -> None:
    first, second = (a_run(tmp_path, {}, {"default_root_dir": place}, {}) for place in ("/here", "/there"))
    assert [field.name for field in compare_runs(first, second, 0.0).fields] == ["default_root_dir"]
    own = [a_run_with_its_own_folder(tmp_path) for _ in range(2)]
    assert compare_runs(own[0], own[1], 0.0).fields == ()


def a_run_with_its_own_folder(home: Path) -> RunSnapshot:
    snapshot = a_run(home, {}, {}, {})
    log = EventLog(Path(snapshot.directory) / "attempt-0" / "events" / "rank-0.jsonl")
    field = TrainerField(actual=f"{snapshot.directory}/checkpoints")
    log.append(TrainerSeen, **{**_DEFAULTS[TrainerSeen], "fields": {"default_root_dir": field}})
    log.close()
    return read_snapshot(RunDirectory(Path(snapshot.directory)))


def test_metrics_tell_the_better_run_where_that_is_known(tmp_path: Path) -> None:
    first = a_run(tmp_path, {}, {}, {"val_loss": [3.0, 1.0, 2.0], "val_acc": [0.5, 0.9], "foo": [1.0], "mine": [1.0]})
    second = a_run(tmp_path, {}, {}, {"val_loss": [3.0, 1.5], "val_acc": [0.5, 0.95], "foo": [2.0]}, took=50.0)
    compared = compare_runs(first, second, 0.0)
    pairs = {pair.name: pair for pair in compared.metrics}
    assert list(pairs) == ["foo", "val_acc", "val_loss", "mine"]
    assert {name: pair.better for name, pair in pairs.items()} == {
        "foo": None, "val_acc": 1, "val_loss": 0, "mine": None,
    }  # fmt: skip
    loss = pairs["val_loss"].first
    assert loss is not None
    assert (loss.best, loss.best_step, loss.last, loss.last_step) == (1.0, 1, 2.0, 2)
    assert pairs["mine"].second is None
    assert (compared.first.duration_s, compared.second.duration_s) == (100.0, 50.0)
    assert (compared.first.global_step, compared.first.state) == (5, "finished")


def test_a_run_that_never_began_can_be_compared(tmp_path: Path) -> None:
    directory, _ = RunStore(tmp_path).create(program=program(), plan={}, now=1.0)
    compared = compare_runs(read_snapshot(directory), a_run(tmp_path, {}, {"devices": 1}, {}), 5.0)
    assert compared.first.duration_s is None
    assert compared.fields == ()


def series(*names: str) -> dict[str, Series]:
    found = {name: Series() for name in names}
    for each in found.values():
        each.extend([1, 2], [1.0, 2.0])
    return found


@pytest.mark.parametrize(
    ("names", "leads"),
    [
        (("train_loss", "val_loss", "lr"), "val_loss"),
        (("train_loss", "val_acc"), "val_acc"),
        (("train_loss_step", "train_loss", "train_acc"), "train_loss"),
        (("foo", "bar_acc"), "bar_acc"),
        (("lr", "lr-Adam"), None),
        ((), None),
    ],
)
def test_one_metric_speaks_for_a_run(names: tuple[str, ...], leads: str | None) -> None:
    found = leading_metric(series(*names))
    assert (found.name if found else None) == leads


def test_what_checkpoints_are_chosen_by_comes_first_and_says_which_way_is_better() -> None:
    fields = {"checkpoint_monitor": TrainerField(actual="val_loss"), "checkpoint_mode": TrainerField(actual="max")}
    trainer = make(TrainerSeen, fields=fields)
    found = leading_metric(series("val_acc", "val_loss"), trainer)
    assert found is not None
    assert (found.name, found.mode, found.best) == ("val_loss", "max", 2.0)
    assert mode_of("val_loss") == "min"
    assert mode_of("val_accuracy", trainer) == "max"
    assert mode_of("foo") is None
