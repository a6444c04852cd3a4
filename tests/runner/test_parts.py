"""The parts of the runner that decide something without any Lightning around."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from lightning_tui.record.commands import new_command, write_command
from lightning_tui.runner.lightning_tui_runner.plan.trainer_arguments import as_field
from lightning_tui.runner.lightning_tui_runner.process.place import find_identity
from lightning_tui.runner.lightning_tui_runner.relaunch import shim_command
from lightning_tui.runner.lightning_tui_runner.steering.agreement import LATENCY_S, LONGEST_INTERVAL, Agreement
from lightning_tui.runner.lightning_tui_runner.steering.command_folder import CommandFolder
from lightning_tui.runner.lightning_tui_runner.telemetry.device_memory import batch_size_of
from lightning_tui.runner.lightning_tui_runner.telemetry.metrics import MetricBuffer, learning_rates
from lightning_tui.runner.lightning_tui_runner.telemetry.step_clock import StepClock

from .running import SHIM


@pytest.mark.parametrize(
    ("environ", "rank", "local_rank"),
    [
        ({}, 0, 0),
        ({"RANK": "3", "LOCAL_RANK": "1", "SLURM_PROCID": "7"}, 3, 1),
        ({"SLURM_PROCID": "7", "SLURM_LOCALID": "3"}, 7, 3),
        ({"LOCAL_RANK": "1"}, 1, 1),
        ({"LOCAL_RANK": "3", "SLURM_PROCID": "7", "SLURM_LOCALID": "3"}, 7, 3),
        # an interactive Slurm step, in which Lightning itself has started a second rank
        ({"LOCAL_RANK": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}, 1, 1),
        ({"RANK": "x", "LOCAL_RANK": ""}, 0, 0),
    ],
)
def test_the_rank_is_read_as_the_launcher_gives_it(environ: dict[str, str], rank: int, local_rank: int) -> None:
    identity = find_identity(environ)
    assert (identity.rank, identity.local_rank) == (rank, local_rank)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (0.5, 0.5),
        (float("inf"), "inf"),
        ([0, 2], [0, 2]),
        ((0, object()), [0, "object"]),
        (Path("x/y"), "x/y"),
        (datetime.timedelta(hours=1), "1:00:00"),
        ({"days": 1}, "{'days': 1}"),
        (SimpleNamespace(), "SimpleNamespace"),
    ],
)
def test_an_argument_is_shown_as_a_record_can_hold_it(value: object, shown: object) -> None:
    assert as_field(value) == shown


class ShapedTensor:
    """Stands for a tensor where only its shape counts."""

    def __init__(self, *shape: int) -> None:
        self.shape = shape


@pytest.mark.parametrize(
    ("batch", "size"),
    [
        (ShapedTensor(4, 3), 4),
        ([ShapedTensor(5), ShapedTensor(7)], 5),
        ({"name": "x", "inputs": {"ids": ShapedTensor(6, 2)}}, 6),
        (("text", [ShapedTensor(), ShapedTensor(2)]), 2),
        (SimpleNamespace(num_graphs=9), 9),
        ("a text", None),
        (None, None),
    ],
)
def test_the_size_of_a_batch_is_told_where_it_can_be(batch: object, size: int | None) -> None:
    assert batch_size_of(batch) == size


def test_other_learning_rates_are_named_where_they_differ() -> None:
    groups: list[list[dict[str, Any]]] = [[{"lr": 0.1}, {"lr": 0.1}, {"lr": 0.2}], [{"lr": 0.3}, {"momentum": 1}]]
    optimizers = [SimpleNamespace(param_groups=group) for group in groups]
    assert learning_rates(optimizers) == {"lr": 0.1, "lr-2": 0.2, "lr-3": 0.3}


class Scalar:
    """Stands for a tensor of one number at an address of its own."""

    def __init__(self, value: float) -> None:
        self.value = value

    def numel(self) -> int:
        return 1

    def data_ptr(self) -> int:
        return id(self)

    def __float__(self) -> float:
        return self.value


def test_logged_metrics_are_kept_once_and_under_their_clearest_name() -> None:
    pytest.importorskip("torch")
    buffer = MetricBuffer(Scalar, only_step_loss=False)
    stale = Scalar(9.0)
    for step in (1, 2, 3):
        buffer.add_loss(step, {"loss": Scalar(100.0)})
        plain = Scalar(float(step))
        logged = {"loss": plain, "loss_step": plain, "seldom": stale, "val": stale, "val_epoch": stale, "text": "x"}
        buffer.add_logged(step, logged, each_step=True)
    assert buffer.take() == {
        "loss_step": {"steps": [1, 2, 3], "values": [1.0, 2.0, 3.0]},
        "seldom": {"steps": [1], "values": [9.0]},
        "val_epoch": {"steps": [1], "values": [9.0]},
    }
    assert buffer.take() == {}


def test_the_returned_loss_stands_in_where_none_is_logged() -> None:
    pytest.importorskip("torch")
    buffer = MetricBuffer(Scalar, only_step_loss=False)
    for step, value in ((1, 5.0), (1, 4.0), (2, float("nan"))):
        buffer.add_loss(step, {"loss": Scalar(value)})
    buffer.add_loss(3, None)
    buffer.add_logged(2, {"train_loss": Scalar(1.0), "learning_rate": Scalar(0.1)}, each_step=False)
    assert buffer.take()["loss"] == {"steps": [1, 2], "values": [4.0, "nan"]}
    assert buffer.logs_lr


def test_fast_steps_are_thinned_out() -> None:
    pytest.importorskip("torch")
    buffer = MetricBuffer(Scalar, only_step_loss=False)
    assert sum(buffer.is_kept() for _ in range(320)) == 320
    buffer.take()
    assert sum(buffer.is_kept() for _ in range(320)) == 32


def test_the_interval_between_agreements_follows_the_step_time() -> None:
    agreement = Agreement(is_leader=True)
    assert agreement._next_interval(None) == 1
    assert agreement._next_interval(10.0) == 1
    intervals = []
    for _ in range(12):
        agreement._interval = agreement._next_interval(0.001)
        intervals.append(agreement._interval)
    assert intervals[:3] == [2, 4, 8]
    assert intervals[-1] == int(LATENCY_S / 0.001)
    agreement._interval = LONGEST_INTERVAL
    assert agreement._next_interval(1e-6) == LONGEST_INTERVAL
    agreement._costs_s.extend([5.0, 0.0005])
    assert agreement._next_interval(0.01) == 50


def test_a_command_is_handed_out_once_to_all_processes_of_a_run(tmp_path: Path) -> None:
    first, second = CommandFolder(str(tmp_path)), CommandFolder(str(tmp_path))
    assert first.take_new() == []
    save, stop = new_command("checkpoint"), new_command("stop", after="epoch")
    stop = msgspec.structs.replace(stop, time=save.time + 1)
    write_command(tmp_path, save)
    write_command(tmp_path, stop)
    write_command(tmp_path, new_command("kill"))
    for name, content in (("0.json", "[]"), ("1.json", '{"id": 1, "op": "stop"}'), ("2.json", "{"), ("3.txt", "{}")):
        (tmp_path / name).write_text(content)
    taken = first.take_new()
    assert [(c["id"], c["op"], c.get("after")) for c in taken] == [
        (save.id, "checkpoint", None),
        (stop.id, "stop", "epoch"),
    ]
    assert first.take_new() == second.take_new() == []
    assert CommandFolder(str(tmp_path / "gone")).take_new() == []


def test_a_rank_is_started_through_the_shim() -> None:
    through = ["python", str(SHIM), "--parent", str(os.getpid()), "--"]
    assert shim_command(["python", "/x/train.py", "-m"]) == [*through, "/x/train.py", "-m"]
    assert shim_command(["python", "-m", "pkg.__main__"]) == [*through, "-m", "pkg.__main__"]
    entry = str(SHIM.parent / "process" / "lightning_cli.py")
    assert shim_command(["python", entry, "fit"]) == [*through, "--lightning-cli", "fit"]


def test_what_is_no_step_does_not_count_as_step_time() -> None:
    clock = StepClock()
    clock.waited(100.0)
    assert clock.take_means() is None
    clock.batch_begins()
    clock.batch_done()
    clock.waited(0.5)
    clock.leave_out(1000.0)  # a checkpoint was saved
    clock.batch_done()
    clock.pause()
    means = clock.take_means()
    assert means is not None
    assert means[0] < 0 < means[1] == 0.25
    assert clock.take_means() is None
    clock.batch_begins()
    clock.waited(0.25)
    assert clock.take_means() is None, "the batch that was waited for is not done yet"
    clock.batch_done()
    means = clock.take_means()
    assert means is not None
    assert means[1] == 0.25, "its wait belongs to the window in which it is done"
