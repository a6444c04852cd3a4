"""What a program logs is seen, however it logs it, and its loggers get what they would have got."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lightning_tui.runner.lightning_tui_runner.telemetry.logged_values import LoggerTap, numbers_among

from .running import PROGRAMS, run_in_run


class Base:
    def __init__(self) -> None:
        self.got: list[Any] = []

    def log_metrics(self, metrics: Any, step: int | None = None) -> str:
        self.got.append(metrics)
        return "done"


class Inherits(Base):
    pass


def test_the_tap_hears_all_and_leaves_no_trace() -> None:
    heard: list[Any] = []
    tap = LoggerTap(heard.append, lambda error: pytest.fail(str(error)))
    own, other = Inherits(), Inherits()
    tap.begin([own, other])
    assert own.log_metrics({"a": 1}) == "done"
    assert other.log_metrics(metrics={"b": 2}, step=4) == "done"
    own.log_metrics("no mapping")
    assert heard == [{"a": 1}, {"b": 2}]
    assert own.got == [{"a": 1}, "no mapping"]
    tap.end()
    assert "log_metrics" not in vars(Inherits)
    own.log_metrics({"c": 3})
    assert len(heard) == 2


def test_a_tap_that_breaks_does_not_reach_the_program() -> None:
    troubles: list[Exception] = []

    def breaks(metrics: object) -> None:
        raise RuntimeError("ours")

    logger = Base()
    tap = LoggerTap(breaks, troubles.append)
    tap.begin([logger])
    try:
        assert logger.log_metrics({"a": 1}) == "done"
        assert [str(error) for error in troubles] == ["ours"]
    finally:
        tap.end()


def test_a_class_that_cannot_be_changed_is_left_alone() -> None:
    class Sealed(type):
        def __setattr__(cls, name: str, value: object) -> None:
            raise TypeError("sealed")

    class Logger(Base, metaclass=Sealed):
        pass

    heard: list[Any] = []
    troubles: list[Exception] = []
    tap = LoggerTap(heard.append, troubles.append)
    other = Inherits()
    tap.begin([Logger(), other])
    assert Logger().log_metrics({"a": 1}) == other.log_metrics({"b": 2}) == "done"
    tap.end()
    assert (heard, [str(error) for error in troubles]) == ([{"b": 2}], ["sealed"])


def test_what_is_no_number_is_left_out() -> None:
    class Tensor:
        pass

    assert numbers_among({"a": 1, "b": 2.5, "c": "text", "d": True, "e": None, "f": [1]}, Tensor) == {"a": 1, "b": 2.5}


@pytest.mark.e2e
def test_all_ways_of_logging_are_seen_once(tmp_path: Path) -> None:
    outcome = run_in_run(tmp_path, [str(PROGRAMS / "logging_everywhere.py"), str(tmp_path / "out")], {})
    assert outcome.code == 0, outcome.errors
    assert "lightning-tui:" not in outcome.errors
    metrics = outcome.metrics()
    assert set(metrics) == {
        "train_loss_step", "train_loss_epoch", "val_loss", "val_zero", "lr", "grad_scale", "straight_tensor",
        "last_words",
    }  # fmt: skip
    assert sorted(metrics["train_loss_step"]) == list(range(1, 17))
    assert sorted(metrics["train_loss_epoch"]) == [8, 16]
    assert sorted(metrics["val_loss"]) == [8, 16]
    assert metrics["straight_tensor"] == {8: 7.5, 16: 7.5}
    assert metrics["last_words"] == {16: 42.0}
    assert set(metrics["grad_scale"].values()) == {2.0 + index for index in range(8)}
    assert "got 16 3" in outcome.output, "three: the sanity check is a validation to the program"
    assert "left as it was: True" in outcome.output
