"""Find a batch size or a learning rate for an unmodified program: Lightning's Tuner, in a throw-away child.

One child for each search: after one, Lightning's Trainer is not as it was.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from lightning_tui.launch.local import LaunchError
from lightning_tui.launch.program import Program
from lightning_tui.launch.rehearsal import rehearse
from lightning_tui.launch.throwaway import Cancelled, ThrowawayEnd
from lightning_tui.plan.model import PlanError
from lightning_tui.plan.tuning import (
    BatchSizeResult,
    Begun,
    LearningRateResult,
    Point,
    StoppedBy,
    Trial,
    TuningStep,
)

TIME_LIMIT_S = 1800.0

OnProgress = Callable[[TuningStep], None]

__all__ = ["Cancelled", "TuningError", "tune_batch_size", "tune_learning_rate"]


class TuningError(LaunchError):
    """A search without a result; the message says why and what helps."""


class _BatchSizeFound(msgspec.Struct, frozen=True, tag_field="event", tag="batch_size_found"):
    batch_size: int
    own_size: int | None
    stopped_by: StoppedBy


class _RateFound(msgspec.Struct, frozen=True, tag_field="event", tag="rate_found"):
    suggestion: float | None
    points: list[tuple[float, float | str]]
    wanted: int


class _TuningRefused(msgspec.Struct, frozen=True, tag_field="event", tag="refused"):
    reason: str
    detail: str


class _Failed(msgspec.Struct, frozen=True, tag_field="event", tag="failed"):
    type: str
    message: str
    traceback: str
    in_fit: bool


_Event = Begun | Trial | Point | _BatchSizeFound | _RateFound | _TuningRefused | _Failed
_decoder = msgspec.json.Decoder(_Event)


def tune_batch_size(
    program: Program,
    plan_changes: Mapping[str, Any],
    *,
    mode: Literal["power", "binsearch"] = "power",
    max_trials: int | None = None,
    environ: Mapping[str, str],
    on_progress: OnProgress = lambda step: None,
    is_cancelled: Callable[[], bool] = lambda: False,
    time_limit_s: float = TIME_LIMIT_S,
) -> BatchSizeResult:
    """Find the largest batch that fits on one device, with the plan's precision, checkpointing and loaders.

    It runs the program's code up to `fit` and trains a few batches of each size: `power` doubles it until memory is
    short, `binsearch` then looks between the last two. Without `max_trials` 25 are made on a GPU and 10 on a CPU.

    Raises:
        TuningError: there is no result; the message says why.
        LaunchError: the program cannot be started.
        Cancelled: `is_cancelled` came true; nothing is left running.
    """
    search = _SearchProgress(on_progress)
    options = {"mode": mode, "max_trials": max_trials}
    search.run(program, "batch-size", plan_changes, options, environ, is_cancelled, time_limit_s)
    found = search.found if isinstance(search.found, _BatchSizeFound) else search.found_before_the_end()
    if found is None or search.begun is None:
        raise TuningError(search.why_nothing())
    return BatchSizeResult(
        batch_size=found.batch_size,
        own_size=found.own_size,
        stopped_by=found.stopped_by,
        trials=tuple(search.trials),
        seconds=search.seconds,
        begun=search.begun,
        changes={"batch_size": found.batch_size},
    )


def tune_learning_rate(
    program: Program,
    plan_changes: Mapping[str, Any],
    *,
    lowest: float = 1e-8,
    highest: float = 1.0,
    num_steps: int = 100,
    environ: Mapping[str, str],
    on_progress: OnProgress = lambda step: None,
    is_cancelled: Callable[[], bool] = lambda: False,
    time_limit_s: float = TIME_LIMIT_S,
) -> LearningRateResult:
    """Train `num_steps` steps while the learning rate grows from `lowest` to `highest`, and read the curve.

    A result may be without a suggestion: its notes say why.

    Raises:
        PlanError: the rates cannot be meant.
        TuningError: there is no curve; the message says why.
        LaunchError: the program cannot be started.
        Cancelled: `is_cancelled` came true; nothing is left running.
    """
    if not 0 < lowest < highest:
        raise PlanError(
            f"--min {lowest:g} --max {highest:g} is not a range. Allowed: two rates above 0, the lower one first."
        )
    search = _SearchProgress(on_progress)
    options = {"min": lowest, "max": highest, "num_steps": num_steps}
    search.run(program, "lr", plan_changes, options, environ, is_cancelled, time_limit_s)
    found = search.found
    if not isinstance(found, _RateFound) or search.begun is None:
        raise TuningError(search.why_nothing())
    return LearningRateResult(
        suggestion=found.suggestion,
        points=tuple((rate, float(loss)) for rate, loss in found.points),
        wanted=found.wanted,
        seconds=search.seconds,
        begun=search.begun,
    )


class _SearchProgress:
    """What one child has told so far."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self.begun: Begun | None = None
        self.trials: list[Trial] = []
        self.found: _BatchSizeFound | _RateFound | None = None
        self.seconds = 0.0
        self._running: Trial | None = None
        self._refused: _TuningRefused | None = None
        self._failed: _Failed | None = None
        self._end: ThrowawayEnd | None = None
        self._time_limit_s = 0.0

    def run(
        self,
        program: Program,
        kind: str,
        plan: Mapping[str, Any],
        options: Mapping[str, Any],
        environ: Mapping[str, str],
        is_cancelled: Callable[[], bool],
        time_limit_s: float,
    ) -> None:
        began = time.monotonic()
        self._time_limit_s = time_limit_s
        self._end = rehearse(
            program,
            kind=kind,
            plan=plan,
            options=options,
            environ=environ,
            on_event=self._read_event,
            is_cancelled=is_cancelled,
            time_limit_s=time_limit_s,
        )
        self.seconds = time.monotonic() - began

    def found_before_the_end(self) -> _BatchSizeFound | None:
        """What was found until the time was up, or until the kernel killed the program; `None` where that is nothing.

        One size alone is not enough: it does not show that the program's loader follows.
        """
        fitted = [(t.batch_size, t.real_size or t.batch_size) for t in self.trials if t.status == "ok"]
        end = self._end
        if end is None or len(fitted) < 2:
            return None
        was_killed = end.code == -signal.SIGKILL and self._running is not None and not end.is_out_of_time
        if not (was_killed or end.is_out_of_time):
            return None
        return _BatchSizeFound(max(min(pair) for pair in fitted), None, "killed" if was_killed else "time")

    def why_nothing(self) -> str:
        """One or two sentences: the cause and the fix."""
        end = self._end
        if self._refused is not None:
            sentence = _REFUSALS[self._refused.reason]
            return f"{sentence} ({self._refused.detail})" if self._refused.detail else sentence
        if self._failed is not None:
            return _why_failed(self._failed)
        if end is not None and end.is_out_of_time:
            return f"There was no result within {self._time_limit_s:g} s; the search was cancelled. Raise --time-limit."
        if end is not None and end.code < 0:
            return _why_killed(end.code, self._running)
        if end is not None and end.code == 0:
            return (
                "The program ended without calling Trainer.fit, which is where tuning happens. Give the command line "
                "that trains."
            )
        return f"The program ended with code {end.code if end else None} before its fit: {_last_line(end)}."

    def _read_event(self, line: bytes) -> None:
        event = _decoder.decode(line)
        if isinstance(event, Begun | Trial | Point):
            self._add_step(event)
            self._on_progress(event)
        elif isinstance(event, _TuningRefused):
            self._refused = event
        elif isinstance(event, _Failed):
            self._failed = self._failed or event
        else:
            self.found = event

    def _add_step(self, step: TuningStep) -> None:
        if isinstance(step, Begun):
            self.begun = step
        elif isinstance(step, Trial):
            self._running = step if step.status == "running" else None
            if step.status != "running":
                self.trials.append(step)


_REFUSALS = {
    "ignored": "The program's data loader does not follow the batch size: its batches stayed as they were, so "
    "every size would seem to fit. Use torch's DataLoader(batch_size=self.batch_size) in train_dataloader, "
    "without a batch sampler of its own.",
    "no_batches": "No batch was trained: the training DataLoader is empty. Check the dataset.",
    "nothing_fits": "Not even one sample fits in memory. Use a lower precision, activation checkpointing, or a "
    "strategy that shards the model (see lightning-tui estimate).",
    "manual_optimization": "The model uses manual optimization (automatic_optimization = False): Lightning's "
    "range test "
    "cannot drive its learning rate. Set the rate in training_step itself.",
}


def _why_failed(failed: _Failed) -> str:
    text = failed.message
    if "only works with single optimizer" in text:
        return (
            "The model has several optimizers (configure_optimizers): Lightning's range test works with one only. Run "
            "the test with one of them."
        )
    if "out of memory" in text.lower():
        return "The program's own batch does not fit in memory. Tune the batch size first."
    where = "while it was tuned" if failed.in_fit else "before its fit"
    place = _last_place(failed.traceback)
    return (
        f"The program failed {where}: {failed.type}: {_one_line(text)}{f' ({_one_line(place)})' if place else ''}. "
        "This is not an out-of-memory error: run the program once as it is, and fix this first."
    )


def _why_killed(code: int, running: Trial | None) -> str:
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    at = f" while batch size {running.batch_size} was tried" if running is not None else ""
    if name == "SIGKILL":
        return (
            f"The program was killed (SIGKILL){at}: most likely by the kernel, because main memory was exhausted. "
            "Try fewer trials (--max-trials), or free memory."
        )
    return f"The program was ended by {name}{at}."


def _last_place(traceback: str) -> str:
    lines = [line.strip() for line in traceback.splitlines() if line.strip().startswith('File "')]
    own = [line for line in lines if "site-packages" not in line]
    return (own or lines or [""])[-1].removeprefix("File ").partition(", in ")[0].replace('", line ', ":").strip('"')


def _last_line(end: ThrowawayEnd | None) -> str:
    lines = end.last_words.strip().splitlines() if end is not None else []
    return _one_line(lines[-1]) if lines else "it printed nothing"


def _one_line(text: str) -> str:
    line = "".join(c if c.isprintable() else "·" for c in " ".join(text.split())).rstrip(".")
    return line if len(line) <= 300 else line[:299] + "…"
