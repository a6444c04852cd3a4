"""The command that tunes: it runs a program up to its fit and looks for a batch size or a learning rate there."""

from __future__ import annotations

import argparse
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import msgspec

from lightning_tui.cli import DONE
from lightning_tui.cli.arguments import choice_of, plan_of
from lightning_tui.cli.as_json import finite, picked
from lightning_tui.cli.terminal import say, significant, size
from lightning_tui.plan.tuning import BatchSizeResult, Begun, LearningRateResult, Point, Trial, TuningStep
from lightning_tui.services import tuning
from lightning_tui.services.programs import find_safe_program
from lightning_tui.text.units import count, plural, short_duration

_POINTS_PER_LINE = 10
"""A line for each point would be too many."""


def tune(arguments: argparse.Namespace) -> int:
    """`lightning-tui tune lr|batch-size [PLAN] -- PROGRAM`."""
    asked = plan_of(arguments)
    program = find_safe_program(choice_of(arguments), os.environ)
    say(f"runs {program.label} up to its fit and trains some batches there; nothing is saved. Ctrl-C cancels")
    how = (
        {"mode": arguments.mode, "max_trials": arguments.max_trials}
        if arguments.what == "batch-size"
        else {"lowest": arguments.min, "highest": arguments.max, "num_steps": arguments.num_steps}
    )
    with terminated_as_interrupted():
        result = tuning.tune(
            os.environ, arguments.what, program, asked, _print_step, time_limit_s=arguments.time_limit, **how
        )
    print(json.dumps(_as_json(result)) if arguments.json else "\n".join(_result_lines(result)))
    return DONE


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the child as Ctrl-C does."""

    def interrupt(number: int, frame: object) -> NoReturn:
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _print_step(step: TuningStep) -> None:
    if isinstance(step, Begun):
        trials = f", at most {plural(step.max_trials, 'trial')}" if step.max_trials else ""
        say(f"at its fit: {step.device_name} ({step.device}), precision {step.precision}{trials}")
    elif isinstance(step, Trial) and step.status != "running":
        say(trial_words(step))
    elif isinstance(step, Point) and step.number % _POINTS_PER_LINE == 0:
        say(f"point {step.number}: lr {significant(step.lr)}, loss {significant(float(step.loss))}")


def trial_words(trial: Trial) -> str:
    outcome = "fits" if trial.status == "ok" else "does not fit"
    facts = [f"batch size {count(trial.batch_size)} {outcome}"]
    if trial.real_size not in (None, trial.batch_size):
        facts.append(f"batches of {count(trial.real_size or 0)}")
    if trial.memory is not None:
        facts.append(f"peak {size(trial.memory)}")
    if trial.seconds is not None:
        facts.append(f"{significant(trial.seconds)} s")
    return " · ".join(facts)


def _result_lines(result: BatchSizeResult | LearningRateResult) -> list[str]:
    if isinstance(result, BatchSizeResult):
        own = f"  (the program's own: {count(result.own_size)})" if result.own_size is not None else ""
        lines = [f"Batch size     {result.batch_size}{own}", f"Plan           --set batch_size={result.batch_size}"]
    else:
        lines = [f"Learning rate  {significant(result.suggestion)}  (Lightning's rule)"]
        if result.steepest is not None:
            lines.append(f"Steepest       {significant(result.steepest)}  (where the loss falls fastest on a log axis)")
    took = f"Took           {short_duration(result.seconds)} on {result.begun.device_name}"
    return [*lines, took, "", *(f"- {note}" for note in result.notes)]


def _as_json(result: BatchSizeResult | LearningRateResult) -> dict[str, Any]:
    common = picked(result.begun, "device", "precision", "attribute") | picked(result, "seconds", "notes")
    if isinstance(result, BatchSizeResult):
        return {
            "kind": "batch-size",
            **picked(result, "batch_size", "own_size", "stopped_by", "changes"),
            "trials": [_trial(trial) for trial in result.trials],
            **common,
        }
    return {
        "kind": "lr",
        **picked(result, "suggestion", "steepest"),
        "points": [{"lr": rate, "loss": finite(loss)} for rate, loss in result.points],
        **common,
    }


def _trial(trial: Trial) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.to_builtins(trial)
    return {name: value for name, value in values.items() if name != "event"}
