"""The plan's fields replace what the script passes to its Trainer; what the plan does not name is never touched."""

from __future__ import annotations

import os
from typing import Any

from ..process.joining import warn_once
from .model_checkpoints import asked_of
from .options import TRAINER_ARGUMENTS
from .strategies import options_of, planned_strategy


class Arguments:
    """What the plan asked for and what the script passed, by name. Travels with the callback, so it must pickle."""

    def __init__(self, requested: dict[str, Any], script: dict[str, Any]) -> None:
        self.requested = requested
        self.script = script


def with_plan(passed: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
    """Return what to pass to a Trainer, or to a class derived from it, in the place of what the script passes."""
    arguments = {**passed, **{name: value for name, value in plan.items() if name in TRAINER_ARGUMENTS}}
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
    said = {name: as_field(passed[name]) for name in TRAINER_ARGUMENTS if passed.get(name) is not None}
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
