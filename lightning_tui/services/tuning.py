"""Which batch size fits, which learning rate suits? Looked for in a child that is gone afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from lightning_tui.launch import Program
from lightning_tui.launch.tuning import tune_batch_size, tune_learning_rate
from lightning_tui.plan.model import Plan
from lightning_tui.plan.tuning import BatchSizeResult, LearningRateResult, TuningStep

Goal = Literal["batch-size", "lr"]


def tune(
    environ: Mapping[str, str],
    goal: Goal,
    program: Program,
    plan: Plan,
    on_progress: Callable[[TuningStep], None],
    **how: Any,
) -> BatchSizeResult | LearningRateResult:
    """Run a program, which was found safe, up to its fit and search there. `how` are the further arguments of
    `tune_batch_size` or `tune_learning_rate`.

    Raises:
        TuningError: there is no result; the message says why.
        LaunchError, PlanError: the program cannot be started, or the search not be meant.
        Cancelled: it was given up.
    """
    search: Callable[..., BatchSizeResult | LearningRateResult]
    search = tune_batch_size if goal == "batch-size" else tune_learning_rate
    return search(program, plan.changes(), environ=environ, on_progress=on_progress, **how)
