"""The plan's fields replace what the script passes to its Trainer; what the plan does not name is never touched."""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

from . import process
from .checkpoints import watch_checkpoints
from .model_checkpoints import asked_of, with_checkpoints
from .program_callbacks import given_callbacks, silence_progress_bar
from .reporter import warn
from .strategies import options_of, planned_strategy
from .tuning import Search, finders_for

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

_CALLBACK_MODULES = {
    "lightning.pytorch": ".callback_of_lightning",
    "pytorch_lightning": ".callback_of_pytorch_lightning",
}


class Arguments:
    """What the plan asked for and what the script passed, by name. Travels with the callback, so it must pickle."""

    def __init__(self, requested: dict[str, Any], script: dict[str, Any]) -> None:
        self.requested = requested
        self.script = script


def wrap_trainer(module: ModuleType, *, flavour: str, plan: dict[str, Any]) -> None:
    """Wrap `Trainer.__init__`, `Trainer.save_checkpoint` and, where the plan resumes, `Trainer.fit`."""
    trainer_class = module.Trainer
    _wrap_init(trainer_class, flavour, plan)
    watch_checkpoints(trainer_class)
    if "ckpt_path" in plan:
        _wrap_fit(trainer_class, plan["ckpt_path"])


def _wrap_init(trainer_class: Any, flavour: str, plan: dict[str, Any]) -> None:
    original = trainer_class.__init__
    names = _parameters(original)

    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807  # it becomes the class's own
        try:
            passed = {**dict(zip(names, args, strict=False)), **kwargs}
            arguments = _with_plan(passed, plan)
            script = _script_says(passed)
            arguments["callbacks"] = _callbacks(passed, plan, script, flavour)
        except Exception as error:  # noqa: BLE001  # fail open: the program then gets the Trainer that it asked for
            _trouble(error)
            original(self, *args, **kwargs)
            return
        strategy = _strategy(passed.get("strategy"), plan, flavour)
        if strategy is not None:
            arguments["strategy"] = strategy
        original(self, **arguments)
        silence_progress_bar(self)

    trainer_class.__init__ = __init__


def _parameters(function: Callable[..., Any]) -> list[str]:
    """Names of a method's parameters in order, `self` left out: Lightning takes its keywords by position too."""
    import inspect

    return list(inspect.signature(function).parameters)[1:]


def _with_plan(passed: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
    arguments = {**passed, **{name: value for name, value in plan.items() if name in FIELDS}}
    if asked_of(plan) and plan.get("enable_checkpointing") is None and arguments.get("enable_checkpointing") is False:
        arguments["enable_checkpointing"] = True
    return arguments


def _strategy(script: Any, plan: dict[str, Any], flavour: str) -> Any:
    """What to pass as `strategy`. What Lightning itself refuses, such as one that is not installed, comes out."""
    try:
        return planned_strategy(script, plan, flavour, say)
    except (AttributeError, KeyError, TypeError) as error:  # this Lightning keeps it elsewhere, or has no such option
        say(f"options of the strategy: not in effect: {type(error).__name__}: {error}")
        return plan.get("strategy", script)


def _callbacks(passed: dict[str, Any], plan: dict[str, Any], script: dict[str, Any], flavour: str) -> list[Any]:
    """A new list: theirs (without one of ours from a Trainer before), then ours."""
    ours = importlib.import_module(_CALLBACK_MODULES[flavour], __package__).LightningTuiTelemetry
    theirs = given_callbacks(passed.get("callbacks"), flavour)
    kept = [callback for callback in theirs if not isinstance(callback, (ours, Search))]
    if not passed.get("barebones"):  # which takes no callbacks that do something
        kept = [*with_checkpoints(kept, plan, flavour, say), *finders_for(plan, _CALLBACK_MODULES[flavour])]
    requested = {name: as_field(value) for name, value in plan.items()}
    return [*kept, ours(Arguments(requested, script))]


def _script_says(passed: dict[str, Any]) -> dict[str, Any]:
    """What the program passes, before anything of it is changed."""
    said = {name: as_field(passed[name]) for name in FIELDS if passed.get(name) is not None}
    return {**said, **options_of(passed.get("strategy"))}


def _wrap_fit(trainer_class: Any, ckpt_path: Any) -> None:
    import inspect

    original = trainer_class.fit
    signature = inspect.signature(original)

    @functools.wraps(original)
    def fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature.bind(self, *args, **kwargs)
            _note_script_ckpt_path(self, bound.arguments.get("ckpt_path"))
            bound.arguments["ckpt_path"] = ckpt_path
        except TypeError:  # a call that Lightning itself will refuse, in its own words
            return original(self, *args, **kwargs)
        return original(*bound.args, **bound.kwargs)

    trainer_class.fit = fit


def _note_script_ckpt_path(trainer: Any, ckpt_path: Any) -> None:
    for callback in trainer.callbacks:
        arguments = getattr(callback, "arguments", None)
        if isinstance(arguments, Arguments) and ckpt_path is not None:
            arguments.script["ckpt_path"] = as_field(ckpt_path)


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


def say(message: str) -> None:
    """Say in the program's output what of the plan is not in effect; once for all ranks."""
    reporter = process.current()
    if reporter is None or reporter.rank == 0:
        warn(message)


def _trouble(error: Exception) -> None:
    reporter = process.current()
    if reporter is not None:
        reporter.trouble(error)
