"""What a Trainer gets that shall leave no trace: one device, no limits, loggers or checkpoints, a throw-away folder."""

from __future__ import annotations

import functools
import importlib
import math
import sys
from collections.abc import Callable
from typing import Any

from ..process.program_callbacks import given_callbacks

_PLANNED = (
    "accelerator",
    "precision",
    "accumulate_grad_batches",
    "gradient_clip_val",
    "gradient_clip_algorithm",
    "deterministic",
    "benchmark",
    "limit_val_batches",
)
"""Fields of a plan that change what one step needs on one device, or how it goes."""

_ONE_DEVICE = {"strategy": "auto", "num_nodes": 1, "sync_batchnorm": False}
_NO_LIMITS = {
    "max_epochs": -1,
    "max_steps": -1,
    "min_epochs": None,
    "min_steps": None,
    "max_time": None,
    "limit_train_batches": 1.0,
    "overfit_batches": 0.0,
    "fast_dev_run": False,
    "val_check_interval": 1.0,  # a number of batches may be more than an epoch of larger ones has
    "check_val_every_n_epoch": 1,
    "num_sanity_val_steps": 0,
}
_NO_TRACE = {
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "profiler": None,
    "barebones": False,
}
_UNWANTED = ("Checkpoint", "ProgressBar", "BatchSizeFinder", "LearningRateFinder", "Timer", "ModelSummary")
"""Callbacks that write, that draw, or that Lightning's Tuner refuses to work beside."""


def quiet_arguments(passed: dict[str, Any], plan: dict[str, Any], flavour: str, folder: str) -> dict[str, Any]:
    """Return what to pass to the Trainer in the place of what the script passes."""
    planned = {name: plan[name] for name in _PLANNED if name in plan}
    arguments = {**passed, **planned, **_ONE_DEVICE, **_NO_LIMITS, **_NO_TRACE, "default_root_dir": folder}
    arguments["devices"] = _first_device(plan.get("devices", passed.get("devices")))
    if passed.get("logger") is not False:
        arguments["logger"] = silent_logger(flavour)
    arguments["callbacks"] = _without_unwanted(passed.get("callbacks"), flavour)
    return arguments


def silent_logger(flavour: str) -> Any:
    """The logger that Lightning itself puts in the place of others for `fast_dev_run`."""
    return importlib.import_module(f"{flavour}.loggers.logger").DummyLogger()


def skip_evaluation(trainer_class: Any, is_wanted: Callable[[], bool] = lambda: True) -> None:
    """Let `validate`, `test` and `predict` do nothing while that is wanted: before `fit` they only take time."""
    for name, result in (("validate", [_Unknown()]), ("test", [_Unknown()]), ("predict", [])):
        setattr(trainer_class, name, _skipped(getattr(trainer_class, name), result, is_wanted))


class _Unknown(dict[str, float]):
    """Metrics of an evaluation that did not take place: all of them are NaN."""

    def __missing__(self, name: str) -> float:
        return math.nan


def _skipped(original: Callable[..., Any], result: Any, is_wanted: Callable[[], bool]) -> Callable[..., Any]:
    @functools.wraps(original)
    def skip(*args: Any, **kwargs: Any) -> Any:
        return result if is_wanted() else original(*args, **kwargs)

    return skip


def _first_device(devices: Any) -> Any:
    """One device: the first of those that are named, else any."""
    return list(devices[:1]) if isinstance(devices, list | tuple) and devices else 1


def _without_unwanted(callbacks: Any, flavour: str) -> list[Any]:
    """The program's callbacks but some. Its list is left as it is."""
    module = importlib.import_module(f"{flavour}.callbacks")
    unwanted = tuple(getattr(module, name) for name in _UNWANTED if hasattr(module, name)) + _of_cli(flavour)
    return [callback for callback in given_callbacks(callbacks, flavour) if not isinstance(callback, unwanted)]


def _of_cli(flavour: str) -> tuple[type, ...]:
    """LightningCLI adds a callback that writes the configuration."""
    cli = sys.modules.get(f"{flavour}.cli")
    return (cli.SaveConfigCallback,) if cli is not None else ()
