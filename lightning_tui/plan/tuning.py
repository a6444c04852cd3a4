"""What does a tuning find? The steps on its way and its results: the batch that fits, the curve of learning rates."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from lightning_tui.text.units import count, number, size


class Begun(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="begun"):
    """The program has come to its `fit`, and the search begins."""

    device: str
    """As torch names it: `cpu`, `cuda:0`."""
    device_name: str
    precision: str
    attribute: str | None = None
    """Where the program keeps the value itself; `None` where Lightning's Tuner would not find it."""
    uses_cli: bool = False
    max_trials: int | None = None
    memory_limit: int | None = None
    """Bytes of main memory that trials may take, on a CPU."""


class Trial(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="trial"):
    """One batch size that is tried."""

    number: int
    batch_size: int
    status: Literal["running", "ok", "failed"]
    """`failed`: the memory was not enough."""
    real_size: int | None = None
    """Samples that the batches really had."""
    seconds: float | None = None
    memory: int | None = None
    """Peak, in bytes: of CUDA's allocator, or of the process on a CPU."""


class Point(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="point"):
    """The smoothed loss at one learning rate; a word such as `nan` where it is no number."""

    number: int
    lr: float
    loss: float | str


TuningStep = Begun | Trial | Point

StoppedBy = Literal["memory", "data", "max_trials", "max_size", "time", "killed"]


class BatchSizeResult(msgspec.Struct, frozen=True, kw_only=True):
    """The largest batch that was tried and fitted, on one device."""

    batch_size: int
    own_size: int | None
    """The batch size of the program's own training loader."""
    stopped_by: StoppedBy
    trials: tuple[Trial, ...]
    seconds: float
    begun: Begun
    changes: dict[str, Any]
    """What to set in the plan."""

    @property
    def notes(self) -> list[str]:
        """What to know before it is used, one sentence each."""
        return [_STOPPED[self.stopped_by], *_memory_notes(self), *_use_notes(self)]


class LearningRateResult(msgspec.Struct, frozen=True, kw_only=True):
    """The range test's curve, and the learning rate that Lightning takes from it."""

    suggestion: float | None
    points: tuple[tuple[float, float], ...]
    """Learning rate and smoothed loss, which may be NaN or infinite."""
    wanted: int
    """How many points were asked for."""
    seconds: float
    begun: Begun

    @property
    def steepest(self) -> float | None:
        """Where the loss falls fastest on the logarithmic axis: a second opinion."""
        return steepest(finite_points(self))

    @property
    def is_doubtful(self) -> bool:
        """Whether the curve is still flat at the suggestion."""
        return self.suggestion is not None and is_flat_at(finite_points(self), self.suggestion)

    @property
    def best_guess(self) -> float | None:
        """Lightning's suggestion, or the second opinion where that one is doubtful."""
        return (self.steepest or self.suggestion) if self.is_doubtful else self.suggestion

    @property
    def notes(self) -> list[str]:
        """What to know before it is used, one sentence each."""
        return [*_curve_notes(self), *_place_notes(self)]


_STOPPED = {
    "memory": "The next size did not fit in memory.",
    "data": "The search ended at the size of the dataset, not at a memory limit.",
    "max_trials": "The search ended after the last allowed trial (--max-trials), not at a memory limit.",
    "time": "The search ended at the time limit (--time-limit), not at a memory limit.",
    "killed": "The program was killed while the next size was tried: most likely by the kernel, for lack of memory.",
    "max_size": "The search ended at the largest size that Lightning tries (8192), not at a memory limit.",
}

FEW_POINTS = 12
"""Lightning leaves out the first 10 points and the last one, and needs two more (`tuner/lr_finder.py`)."""

_FLAT_SHARE = 0.05
_NOISY_POINTS = 10
_REACH = 3


def _memory_notes(result: BatchSizeResult) -> list[str]:
    if result.begun.device != "cpu":
        return [
            "Another process on the same GPU, or a longer sample later on, needs some of this memory too: leave "
            "a margin."
        ]
    limit = result.begun.memory_limit
    kept = f" (to {size(limit)})" if limit is not None else ""
    return [
        "On a CPU the memory is main memory: there is no out-of-memory error, the kernel kills processes. So the "
        f"search is kept within what is available{kept}, and to few trials unless --max-trials says more."
    ]


def _use_notes(result: BatchSizeResult) -> list[str]:
    found, size_found = result.begun.attribute, result.batch_size
    notes = [
        "It is per device: the effective batch is this times devices, nodes and accumulated batches, and another "
        "effective batch wants another learning rate.",
    ]
    if found is None:
        return [
            *notes,
            "The program has no `batch_size` on its model, data module or their hparams, so Lightning's own Tuner "
            "would not find it. The plan's batch_size works as it is; in code, self.batch_size = ... (or "
            "self.save_hyperparameters()) that DataLoader(batch_size=self.batch_size) uses fixes that.",
        ]
    notes.append(f"In code: {found} = {size_found}.")
    if result.begun.uses_cli:
        part = "data" if found.startswith("datamodule") else "model"
        notes.append(f"On the command line: --{part}.batch_size {size_found}.")
    return notes


def _curve_notes(result: LearningRateResult) -> list[str]:
    finite = finite_points(result)
    if result.suggestion is None:
        return [_why_none(result, len(finite))]
    notes = []
    if len(result.points) < result.wanted:
        last = number(result.points[-1][0])
        notes.append(f"The loss diverged: the test ended after {count(len(result.points))} points, at {last}.")
    if result.is_doubtful:
        where = "" if result.steepest is None else f", about {number(result.steepest)}"
        notes.append(
            f"The curve is still flat at {number(result.suggestion)}: Lightning's rule, the steepest slope over the "
            f"rate itself, was misled by noise at tiny rates. Choose a rate where the curve falls{where}, or "
            "raise --min."
        )
    return notes


def _why_none(result: LearningRateResult, finite: int) -> str:
    if finite < len(result.points) and finite < FEW_POINTS:
        return (
            f"No suggestion: the loss was NaN or infinite in {count(len(result.points) - finite)} of "
            f"{count(len(result.points))} points. Check the loss and the data, or lower --max."
        )
    return (
        f"No suggestion: there are {count(len(result.points))} points, and Lightning needs more than {FEW_POINTS}. "
        "Raise --num-steps; where the loss diverged at once, lower --min and --max."
    )


def _place_notes(result: LearningRateResult) -> list[str]:
    if result.best_guess is None:
        return []
    rate = number(result.best_guess)
    place = result.begun.attribute
    if place is None:
        return [
            f"In code: give the optimizer in configure_optimizers lr={rate}. The model has no `lr` or `learning_rate` "
            "(looked for on the model and its hparams); self.save_hyperparameters() with such an argument fixes that."
        ]
    notes = [f"In code: {place} = {rate}."]
    if result.begun.uses_cli:
        notes.append(f"On the command line: --model.{place.rpartition('.')[2]} {rate}.")
    if not result.is_doubtful:
        notes.append("Or set auto_lr_find in the plan: then each run looks for its own rate before it trains.")
    return notes


def is_flat_at(points: Sequence[tuple[float, float]], rate: float) -> bool:
    """Whether the loss has hardly fallen yet at this rate: by less than 5 % of its whole fall.

    `points` are finite, in order of their rates; each is taken as the median of those around it.
    """
    levels = _levels(points)
    if len(levels) < FEW_POINTS:
        return False
    start = statistics.median(levels[:_NOISY_POINTS])
    fall = start - min(levels)
    at = min(range(len(points)), key=lambda i: abs(points[i][0] - rate))
    return fall > 0 and start - levels[at] < _FLAT_SHARE * fall


def steepest(points: Sequence[tuple[float, float]]) -> float | None:
    """The rate at which the loss falls fastest over the logarithm of the rate, as people read such a curve.

    `points` are finite, in order of their rates; each is taken as the median of those around it, and the first ten, as
    noisy as Lightning's smoothing leaves them, are passed over. `None` where there are few, or the loss never falls.
    """
    levels = _levels(points)
    slopes = [
        (
            (levels[i + _REACH] - levels[i - _REACH]) / math.log(points[i + _REACH][0] / points[i - _REACH][0]),
            points[i][0],
        )
        for i in range(_NOISY_POINTS + _REACH, len(points) - _REACH)
        if points[i + _REACH][0] > points[i - _REACH][0] > 0
    ]
    slope, rate = min(slopes, default=(0.0, 0.0))
    return rate if slope < 0 else None


def finite_points(result: LearningRateResult) -> list[tuple[float, float]]:
    """The points whose loss is a number."""
    return [(rate, loss) for rate, loss in result.points if math.isfinite(loss)]


def _levels(points: Sequence[tuple[float, float]]) -> list[float]:
    losses = [loss for _, loss in points]
    return [statistics.median(losses[max(0, i - 2) : i + 3]) for i in range(len(losses))]
