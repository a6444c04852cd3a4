"""What is really in effect? Read from the live Trainer, when it is about to run."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

from ..plan import data_loading, finders, model_checkpoints, process_settings, strategies
from ..plan.activation_checkpointing import recomputed_classes
from ..plan.compilation import compiled_mode
from ..plan.options import (
    CHECKPOINT_ARGUMENTS,
    FINDERS,
    LOADER_ARGUMENTS,
    MODEL_PARALLEL,
    PROCESS_FIELDS,
    STOPPING_FIELD,
    STRATEGY_OPTIONS,
    TRAINER_ARGUMENTS,
)
from ..plan.trainer_arguments import Arguments, as_field

ALL_FIELDS = (
    *TRAINER_ARGUMENTS,
    "ckpt_path",
    *STRATEGY_OPTIONS,
    "activation_checkpointing",
    "compile",
    *CHECKPOINT_ARGUMENTS,
    *LOADER_ARGUMENTS,
    *FINDERS,
    STOPPING_FIELD,
    *PROCESS_FIELDS,
)
"""Every field of a plan."""


def fields_of(trainer: Any, arguments: Arguments, flavour: str) -> dict[str, dict[str, Any]]:
    """Requested, script's and actual value of every field that a plan can set."""
    fields = {}
    for name in ALL_FIELDS:
        requested, script = arguments.requested.get(name), arguments.script.get(name)
        asked = script if requested is None else requested
        actual = _or_none(_READERS.get(name, _attribute(name)), trainer, asked, flavour)
        fields[name] = {"requested": requested, "script": script, "actual": as_field(actual)}
    return fields


def _attribute(name: str) -> Callable[..., Any]:
    """Return a reader of the Trainer's attribute of the same name."""
    return lambda trainer, asked, flavour: getattr(trainer, name)


def parameters_of(module: Any) -> tuple[int | None, int | None]:
    """All and trainable parameters of the model; `None` where they do not exist yet or have no size yet."""
    try:
        sizes = [(getattr(p, "ds_numel", None) or p.numel(), p.requires_grad) for p in module.parameters()]
    except ValueError:  # a lazy module has not seen its first batch
        return None, None
    if not sizes:
        return None, None
    return sum(size for size, _ in sizes), sum(size for size, trains in sizes if trains)


def log_dir_of(trainer: Any) -> str | None:
    """Where the first logger writes. The Trainer's own `log_dir` is a collective call, which one rank must not make."""
    for logger in trainer.loggers:
        folder = getattr(logger, "log_dir", None) or getattr(logger, "save_dir", None)
        if folder:
            return str(folder)
    return None


def whole(value: Any) -> int | None:
    """Return a limit or a total as a number; `None` where Lightning says unlimited or unknown (-1, None, inf)."""
    if isinstance(value, list):
        totals = [whole(item) for item in value]
        return None if None in totals else sum(total for total in totals if total is not None)
    if value is None or (isinstance(value, float) and not math.isfinite(value)) or value < 0:
        return None
    return int(value)


def _or_none(read: Callable[..., Any], trainer: Any, asked: Any, flavour: str) -> Any:
    try:
        return read(trainer, asked, flavour)
    except Exception:  # noqa: BLE001  # one field that this version of Lightning keeps elsewhere is not worth the others
        return None


def monitors_learning_rate(trainer: Any) -> bool:
    """Whether the script shows its learning rate itself, by Lightning's own callback for that."""
    return any(base.__name__ == "LearningRateMonitor" for c in trainer.callbacks for base in type(c).__mro__)


def _deterministic(trainer: Any, asked: Any, flavour: str) -> bool | str:
    import torch

    is_on = torch.are_deterministic_algorithms_enabled()
    return "warn" if is_on and torch.is_deterministic_algorithms_warn_only_enabled() else is_on


def _benchmark(trainer: Any, asked: Any, flavour: str) -> bool:
    import torch

    return torch.backends.cudnn.benchmark


def _synchronizes_batchnorm(trainer: Any, asked: Any, flavour: str) -> bool:
    """Whether it will be, or is already, where the model has any."""
    return getattr(trainer.strategy, "_layer_sync", None) is not None


def _strategy_option(name: str) -> Callable[..., Any]:
    return lambda trainer, asked, flavour: strategies.options_in_effect(trainer.strategy).get(name)


def _checkpoint_setting(name: str) -> Callable[..., Any]:
    def read(trainer: Any, asked: Any, flavour: str) -> Any:
        callback = model_checkpoints.model_checkpoint_of(trainer)
        return None if callback is None else model_checkpoints.settings_of(callback)[name]

    return read


def _on_exception(trainer: Any, asked: Any, flavour: str) -> bool:
    """Lightning before 2.5.5 has a callback of its own for that."""
    kinds = [type(callback).__name__ for callback in trainer.checkpoint_callbacks]
    return (
        bool(_checkpoint_setting("checkpoint_on_exception")(trainer, asked, flavour))
        or "OnExceptionCheckpoint" in kinds
    )


def _loader_setting(name: str) -> Callable[..., Any]:
    """Return a reader of the first training loader, which is there from the start of the training on."""

    def read(trainer: Any, asked: Any, flavour: str) -> Any:
        loader = next(iter(trainer.fit_loop._combined_loader.flattened))
        return data_loading.settings_of(loader).get(name)

    return read


def _activation_checkpointing(trainer: Any, asked: Any, flavour: str) -> list[str] | None:
    return recomputed_classes(trainer.strategy.model)


def _batch_size_search(trainer: Any, asked: Any, flavour: str) -> str | None:
    finder = finders.search_at_work(trainer, "BatchSizeFinder")
    return None if finder is None else finder._mode


def _learning_rate_search(trainer: Any, asked: Any, flavour: str) -> bool:
    return finders.search_at_work(trainer, "LearningRateFinder") is not None


def _accelerator(trainer: Any, asked: Any, flavour: str) -> str:
    return type(trainer.accelerator).__name__.removesuffix("Accelerator").lower()


def _strategy(trainer: Any, asked: Any, flavour: str) -> str:
    """The name that Lightning's registry has for what is in use: the one asked for where it means the same."""
    strategy = trainer.strategy
    if asked == MODEL_PARALLEL and type(strategy).__name__ == "ModelParallelStrategy":
        return MODEL_PARALLEL
    start_method = getattr(strategy, "_start_method", None) or "popen"
    registry = importlib.import_module(f"{flavour}.strategies").StrategyRegistry
    names = [
        name
        for name, entry in registry.items()
        if entry["strategy"] is type(strategy) and entry["init_params"].get("start_method", "popen") == start_method
    ]
    return asked if asked in names else names[0] if names else type(strategy).__name__


def _devices(trainer: Any, asked: Any, flavour: str) -> Any:
    return list(trainer.device_ids) if isinstance(asked, list) else trainer.num_devices


def _but_none(asked: Any) -> Any:
    return None if asked == "none" else asked


def _max_time(trainer: Any, asked: Any, flavour: str) -> str | None:
    seconds = next((c._duration for c in trainer.callbacks if hasattr(c, "_duration")), None)
    if seconds is None:
        return None
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours // 24:02}:{hours % 24:02}:{minute:02}:{second:02}"


_READERS: dict[str, Callable[..., Any]] = {
    "accelerator": _accelerator,
    "strategy": _strategy,
    "devices": _devices,
    "max_time": _max_time,
    "ckpt_path": lambda trainer, asked, flavour: (
        trainer.ckpt_path or _but_none(asked)
    ),  # it stands nowhere before it is loaded
    "weights_only": lambda trainer, asked, flavour: asked,  # it is an argument of `fit`, and kept nowhere
    STOPPING_FIELD: lambda trainer, asked, flavour: model_checkpoints.early_stopping_of(trainer).monitor,
    "sharing_strategy": lambda trainer, asked, flavour: process_settings.sharing_in_effect(),
    "env": lambda trainer, asked, flavour: process_settings.variables_in_effect(asked),
    "min_epochs": lambda trainer, asked, flavour: trainer.fit_loop.min_epochs,
    "min_steps": lambda trainer, asked, flavour: trainer.fit_loop.epoch_loop.min_steps,
    "deterministic": _deterministic,
    "benchmark": _benchmark,
    "detect_anomaly": lambda trainer, asked, flavour: trainer._detect_anomaly,
    "sync_batchnorm": _synchronizes_batchnorm,
    "enable_checkpointing": lambda trainer, asked, flavour: bool(trainer.checkpoint_callbacks),
    **{name: _strategy_option(name) for name in STRATEGY_OPTIONS},
    "activation_checkpointing": _activation_checkpointing,
    "compile": lambda trainer, asked, flavour: compiled_mode(trainer.lightning_module),
    **{name: _checkpoint_setting(name) for name in CHECKPOINT_ARGUMENTS},
    "checkpoint_on_exception": _on_exception,
    **{name: _loader_setting(name) for name in LOADER_ARGUMENTS},
    "auto_scale_batch_size": _batch_size_search,
    "auto_lr_find": _learning_rate_search,
}
