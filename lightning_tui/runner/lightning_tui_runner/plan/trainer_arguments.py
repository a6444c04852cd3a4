"""The plan's fields replace what the script passes to its Trainer; what the plan does not name is never touched."""

from __future__ import annotations

import os
from typing import Any

from ..process.joining import warn_once
from .model_checkpoints import asked_of
from .strategies import options_of, planned_strategy

FIELDS = (
    "accelerator",
    "strategy",
    "precision",
    "devices",
    "num_nodes",
    "max_epochs",
    "max_steps",
    "max_time",
    "min_epochs",
    "min_steps",
    "accumulate_grad_batches",
    "gradient_clip_val",
    "gradient_clip_algorithm",
    "val_check_interval",
    "check_val_every_n_epoch",
    "num_sanity_val_steps",
    "limit_train_batches",
    "limit_val_batches",
    "log_every_n_steps",
    "deterministic",
    "benchmark",
    "detect_anomaly",
    "sync_batchnorm",
    "enable_checkpointing",
    "default_root_dir",
)
"""What a plan may set on the Trainer itself. `ckpt_path` belongs to `Trainer.fit`; other modules see to the rest."""


class Arguments:
    """What the plan asked for and what the script passed, by name. Travels with the callback, so it must pickle."""

    def __init__(self, requested: dict[str, Any], script: dict[str, Any]) -> None:
        self.requested = requested
        self.script = script


def with_plan(passed: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
    """The script's arguments with the plan's fields in them."""
    arguments = {**passed, **{name: value for name, value in plan.items() if name in FIELDS}}
    if asked_of(plan) and plan.get("enable_checkpointing") is None and arguments.get("enable_checkpointing") is False:
        arguments["enable_checkpointing"] = True
    return arguments


def strategy_argument(script: Any, plan: dict[str, Any], flavour: str) -> Any:
    """What to pass as `strategy`. What Lightning itself refuses, such as one that is not installed, comes out."""
    try:
        return planned_strategy(script, plan, flavour, warn_once)
    except (AttributeError, KeyError, TypeError) as error:  # this Lightning keeps it elsewhere, or has no such option
        warn_once(f"options of the strategy: not in effect: {type(error).__name__}: {error}")
        return plan.get("strategy", script)


def script_says(passed: dict[str, Any]) -> dict[str, Any]:
    """What the program passes, before anything of it is changed."""
    said = {name: as_field(passed[name]) for name in FIELDS if passed.get(name) is not None}
    return {**said, **options_of(passed.get("strategy"))}


def as_field(value: Any) -> Any:
    """Return a Trainer argument as a record can show it: an object goes by its class name."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, list | tuple):
        return [item if type(item) in (int, str) else type(item).__name__ for item in value]
    if type(value).__module__ == "datetime" or isinstance(value, dict):
        return str(value)
    return type(value).__name__
