"""What of tuning can be told without Lightning: what a Trainer gets, when memory is short, what trials mean."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lightning_tui.runner.lightning_tui_runner.trial import batch_size_search, trial_memory
from lightning_tui.runner.lightning_tui_runner.trial.batch_size_search import _holder, _Trials
from lightning_tui.runner.lightning_tui_runner.trial.learning_rate_test import _attribute
from lightning_tui.runner.lightning_tui_runner.trial.quiet_trainer import quiet_arguments, skip_evaluation
from lightning_tui.runner.lightning_tui_runner.trial.trial_memory import HostMeter, _left_in_group

from . import running

GIB = 1 << 30


def test_a_trainer_gets_one_device_no_limits_and_nowhere_to_write(imported_parts: Any) -> None:
    passed = {
        "devices": [2, 3],
        "strategy": "fsdp",
        "num_nodes": 4,
        "max_epochs": 2,
        "limit_train_batches": 5,
        "val_check_interval": 500,
        "fast_dev_run": True,
        "profiler": "simple",
        "logger": False,
        "precision": "16-mixed",
        "benchmark": True,
        "default_root_dir": "/home/ada/results",
    }
    arguments = quiet_arguments(passed, {"precision": "bf16-mixed", "max_epochs": 9}, "lightning.pytorch", "/tmp/x")
    assert arguments["devices"] == [2], "the first of those that the script names"
    assert (arguments["strategy"], arguments["num_nodes"]) == ("auto", 1)
    assert (arguments["max_epochs"], arguments["limit_train_batches"]) == (-1, 1.0)
    assert arguments["val_check_interval"] == 1.0
    assert arguments["fast_dev_run"] is False
    assert (arguments["logger"], arguments["profiler"], arguments["enable_checkpointing"]) == (False, None, False)
    assert arguments["default_root_dir"] == "/tmp/x"
    assert arguments["precision"] == "bf16-mixed", "the plan's"
    assert arguments["benchmark"] is True, "the script's own"
    assert passed["max_epochs"] == 2


@pytest.mark.parametrize(
    ("plan", "devices"), [({}, 1), ({"devices": 8}, 1), ({"devices": [5]}, [5]), ({"devices": -1}, 1)]
)
def test_it_is_one_device_whatever_is_asked(plan: dict[str, Any], devices: object) -> None:
    assert quiet_arguments({"logger": False}, plan, "lightning.pytorch", "/tmp/x")["devices"] == devices


def test_evaluation_before_fit_is_skipped_and_during_the_search_is_not() -> None:
    class Trainer:
        def validate(self) -> list[dict[str, float]]:
            return [{"loss": 1.0}]

        test = validate

        def predict(self) -> list[int]:
            return [1]

    is_before_fit = True
    skip_evaluation(Trainer, lambda: is_before_fit)
    assert Trainer().validate()[0]["anything"] != Trainer().validate()[0]["anything"], "not a number"
    assert Trainer().predict() == []
    is_before_fit = False
    assert Trainer().validate() == [{"loss": 1.0}]


@pytest.mark.parametrize(
    ("model", "data", "found"),
    [
        (SimpleNamespace(), None, None),
        (SimpleNamespace(batch_size=4), None, "model.batch_size"),
        (SimpleNamespace(hparams={"batch_size": 4}), None, "model.hparams.batch_size"),
        (SimpleNamespace(batch_size=4), SimpleNamespace(batch_size=8), "datamodule.batch_size"),
        (SimpleNamespace(hparams={}), SimpleNamespace(hparams={"batch_size": 8}), "datamodule.hparams.batch_size"),
    ],
)
def test_the_size_is_found_where_lightning_looks_for_it(model: object, data: object, found: str | None) -> None:
    assert _holder(model, data) == found


@pytest.mark.parametrize(
    ("model", "found"),
    [
        (SimpleNamespace(), None),
        (SimpleNamespace(learning_rate=1.0), "self.learning_rate"),
        (SimpleNamespace(hparams={"lr": 1.0}), "self.hparams.lr"),
        (SimpleNamespace(lr=1.0, hparams={"lr": 1.0}), "self.lr"),
    ],
)
def test_the_rate_is_found_where_lightning_looks_for_it(model: object, found: str | None) -> None:
    assert _attribute(model) == found


# -------------------------------------------------------------------------------------------------------------- memory


class Host:
    """A machine with so much memory available and a process of so much."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, available: int | None, resident: int) -> None:
        self.available = available
        self.values = {"VmRSS": resident, "VmHWM": resident}
        monkeypatch.setattr(trial_memory, "_available", lambda: self.available)
        monkeypatch.setattr(trial_memory, "_status_bytes", self.values.get)
        monkeypatch.setattr(trial_memory, "_forget_peak", lambda: None)


def test_a_trial_that_would_take_what_the_machine_has_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, available=10 * GIB, resident=1 * GIB)
    meter = HostMeter()
    assert meter.limit == int(8.5 * GIB)
    meter.begin()
    assert meter.has_room_for(2), "nothing is known yet"
    host.values["VmHWM"] = 5 * GIB
    meter.end(16)
    assert meter.has_room_for(32), "4 GiB for 16 samples make 8 for 32"
    assert not meter.has_room_for(64)
    host.available = None
    assert meter.has_room_for(64), "where the kernel says nothing, nothing is held back"


def test_what_is_there_once_is_not_taken_for_what_each_sample_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, available=10 * GIB, resident=1 * GIB)
    meter = HostMeter()
    meter.begin()
    host.values["VmHWM"] = 3 * GIB
    for size in (2, 4, 8, 16, 32, 64):
        meter.end(size)
        assert meter.has_room_for(2 * size)


def test_a_control_group_may_leave_less_than_the_machine_has(tmp_path: Path) -> None:
    (tmp_path / "memory.current").write_text("3000\n")
    (tmp_path / "memory.max").write_text("4000\n")
    assert _left_in_group(str(tmp_path)) == 1000
    (tmp_path / "memory.max").write_text("max\n")
    assert _left_in_group(str(tmp_path)) is None


# -------------------------------------------------------------------------------------------------------------- trials


class Scene:
    """A search over invented sizes, told by the hooks that Lightning would call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, samples: int | None = None) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.meter = SimpleNamespace(
            begin=lambda: None, end=lambda size: None, peak=lambda: 7, has_room_for=lambda size: True, limit=None
        )
        self.sizes = SimpleNamespace(now=2, own=8, said=["batch_size: unchanged"], has_begun=False)
        monkeypatch.setattr(batch_size_search, "meter_of", lambda device: self.meter)
        monkeypatch.setattr(batch_size_search, "_samples", lambda trainer: samples)
        monkeypatch.setattr(batch_size_search, "length_of", lambda batch, flavour: batch)
        order: Any = SimpleNamespace(say=lambda event, **fields: self.said.append((event, fields)), flavour="x")
        trainer = SimpleNamespace(strategy=SimpleNamespace(root_device="cpu"))
        sizes: Any = self.sizes
        self.model = SimpleNamespace(on_train_start=self.call, on_train_batch_start=self.call, on_train_end=self.call)
        self.trials = _Trials(order, trainer, self.model, sizes)
        self.trials.watch()

    def call(self, *args: object) -> None:
        """The model's own hook."""

    def try_size(self, size: int, real: int | None = None, *, fits: bool = True) -> None:
        self.sizes.now = size
        self.model.on_train_start()
        self.model.on_train_batch_start(size if real is None else real, 0)
        if fits:
            self.model.on_train_end()

    def result(self, found: int, max_trials: int = 25) -> tuple[str, dict[str, Any]]:
        self.trials.tell_result(found, max_trials)
        return self.said[-1]


def test_a_size_that_lightning_names_without_having_tried_it_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)
    for size in (2, 4, 8):
        scene.try_size(size)
    event, fields = scene.result(16)
    assert (event, fields["batch_size"], fields["stopped_by"]) == ("batch_size_found", 8, "max_size")


def test_a_batch_that_the_data_cannot_fill_is_told_as_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch, samples=12)
    for size, real in ((4, 4), (8, 8), (16, 12)):
        scene.try_size(size, real)
    assert scene.result(16)[1] == {"batch_size": 12, "own_size": 8, "stopped_by": "data"}


def test_a_trial_without_an_end_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)
    scene.try_size(2)
    scene.try_size(4, fits=False)
    assert scene.result(2)[1]["stopped_by"] == "memory"
    assert [f["status"] for event, f in scene.said if event == "trial"] == ["running", "ok", "running", "failed"]


def test_batches_that_stay_as_they_are_break_the_search_off(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)
    scene.try_size(2, 8)
    with pytest.raises(batch_size_search.SearchRefusedError, match="ignored"):
        scene.try_size(4, 8)
    assert scene.trials.told_by_loader == "batch_size: unchanged"


def test_no_batches_are_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Scene(monkeypatch).result(2) == ("refused", {"reason": "no_batches", "detail": ""})


def test_short_memory_is_told_in_the_words_that_lightning_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)
    scene.try_size(2)
    scene.meter.has_room_for = lambda size: False
    with pytest.raises(RuntimeError, match="DefaultCPUAllocator: can't allocate memory"):
        scene.try_size(4)


# ----------------------------------------------------------------------------------------------------------- the order


def test_a_program_is_not_run_where_the_order_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("open('trained', 'w').close()")
    environ = {**running.environment(None), "LIGHTNING_TUI_REHEARSAL": str(tmp_path / "gone")}
    done = running.run(running.command(["train.py"]), cwd=tmp_path, env=environ)
    assert done.returncode == 1
    assert "order.json" in done.stderr
    assert not (tmp_path / "trained").exists()


def test_a_program_without_a_trainer_ends_as_it_would(tmp_path: Path) -> None:
    order = {"kind": "lr", "plan": {}, "options": {}}
    (tmp_path / "order.json").write_text(json.dumps(order))
    (tmp_path / "train.py").write_text("raise SystemExit(3)")
    environ = {**running.environment(None), "LIGHTNING_TUI_REHEARSAL": str(tmp_path)}
    assert running.run(running.command(["train.py"]), cwd=tmp_path, env=environ).returncode == 3
    (tmp_path / "train.py").write_text("import numpyy")
    assert running.run(running.command(["train.py"]), cwd=tmp_path, env=environ).returncode == 1
    events = [json.loads(line) for path in tmp_path.glob("events*.jsonl") for line in path.read_text().splitlines()]
    assert [(e["event"], e["type"], e["in_fit"]) for e in events] == [("failed", "ModuleNotFoundError", False)]
