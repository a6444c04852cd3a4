"""What a plan says about saving: the script's `ModelCheckpoint` with other settings, or one of Lightning's own."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from .options import CHECKPOINT_ARGUMENTS, checkpoint_settings, with_valid_top_k

ATTRIBUTES = {**CHECKPOINT_ARGUMENTS, "checkpoint_every_n_steps": "_every_n_train_steps"}
"""Where a `ModelCheckpoint` keeps each field."""

_OURS = "__lightning_tui_made__"

Say = Callable[[str], None]


def asked_of(plan: dict[str, Any]) -> dict[str, Any]:
    """The fields of a plan that say how to save."""
    return {name: plan[name] for name in ATTRIBUTES if name in plan}


def with_checkpoints(callbacks: list[Any], plan: dict[str, Any], flavour: str, say: Say) -> list[Any]:
    """Return the callbacks with a `ModelCheckpoint` where the plan wants one, and without where it wants none."""
    classes = importlib.import_module(f"{flavour}.callbacks")
    if plan.get("enable_checkpointing") is False:
        return [callback for callback in callbacks if not isinstance(callback, classes.Checkpoint)]
    asked = asked_of(plan)
    if not asked:
        return callbacks
    added = []
    if not any(isinstance(callback, classes.ModelCheckpoint) for callback in callbacks):
        added.append(_made(classes.ModelCheckpoint, asked, say))
    if asked.get("checkpoint_on_exception") and not _knows_exceptions(classes.ModelCheckpoint):
        folder = asked.get("checkpoint_dir") or plan.get("default_root_dir") or "."
        added.append(classes.OnExceptionCheckpoint(folder))
    return [*callbacks, *added]


def change_checkpoints(trainer: Any, asked: dict[str, Any], say: Say, notes: dict[str, Any]) -> None:
    """Change the script's first `ModelCheckpoint`, field by field as asked; what it had is put into `notes`."""
    callback = model_checkpoint_of(trainer)
    if callback is None or not asked or hasattr(callback, _OURS):
        return
    notes.update({name: value for name, value in settings_of(callback).items() if value is not None})
    settings = _with_a_valid_top_k({"checkpoint_monitor": callback.monitor, **asked}, say)
    for name in ("checkpoint_monitor", "checkpoint_save_top_k", "checkpoint_save_last", "checkpoint_on_exception"):
        if name in settings:
            setattr(callback, ATTRIBUTES[name], settings[name])
    if "checkpoint_mode" in settings:
        callback._ModelCheckpoint__init_monitor_mode(settings["checkpoint_mode"])
    if "checkpoint_dir" in settings:
        callback._ModelCheckpoint__init_ckpt_dir(settings["checkpoint_dir"], callback.filename)
    if "checkpoint_every_n_steps" in settings:
        callback._ModelCheckpoint__init_triggers(settings["checkpoint_every_n_steps"], None, None)


def model_checkpoint_of(trainer: Any) -> Any:
    """The first `ModelCheckpoint` of a Trainer; `None` where it has none."""
    for callback in trainer.checkpoint_callbacks:
        if any(base.__name__ == "ModelCheckpoint" for base in type(callback).__mro__):
            return callback
    return None


def early_stopping_of(trainer: Any) -> Any:
    """The first `EarlyStopping` of a Trainer; `None` where it has none."""
    for callback in trainer.callbacks:
        if any(base.__name__ == "EarlyStopping" for base in type(callback).__mro__):
            return callback
    return None


def settings_of(callback: Any) -> dict[str, Any]:
    """A `ModelCheckpoint`'s settings under the plan's names."""
    settings = {name: getattr(callback, attribute, None) for name, attribute in ATTRIBUTES.items()}
    settings["checkpoint_every_n_steps"] = settings["checkpoint_every_n_steps"] or None
    return settings


def _made(class_: Any, asked: dict[str, Any], say: Say) -> Any:
    settings = checkpoint_settings(_with_a_valid_top_k(asked, say))
    if not _knows_exceptions(class_):
        settings.pop("checkpoint_on_exception", None)
    callback = class_(**{CHECKPOINT_ARGUMENTS[name]: value for name, value in settings.items()})
    setattr(callback, _OURS, True)
    return callback


def _with_a_valid_top_k(settings: dict[str, Any], say: Say) -> dict[str, Any]:
    valid = with_valid_top_k(settings)
    if valid != settings:
        count = settings["checkpoint_save_top_k"]
        say(f"checkpoint_save_top_k={count}: without checkpoint_monitor there is no best one; only the newest is kept")
    return valid


def _knows_exceptions(class_: Any) -> bool:
    import inspect

    return "save_on_exception" in inspect.signature(class_.__init__).parameters
