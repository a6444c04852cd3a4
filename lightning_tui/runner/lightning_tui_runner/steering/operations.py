"""What a command does to a Trainer. Each is called on all ranks at the same batch, after the optimizer has stepped."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import time
from collections.abc import Callable
from typing import Any

from .rates import NoGroupError, set_rates

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_LOGGERS = ("", "lightning", "lightning.pytorch", "lightning.fabric", "pytorch_lightning", "lightning_fabric")


class RefusedError(Exception):
    """A command that cannot be carried out; the message says why."""


class Steered:
    """What the commands so far have made of the training."""

    def __init__(self, checkpoints: str) -> None:
        self.checkpoints = checkpoints
        self.leaves_now = False
        self.was_stopped = False
        self.stop_step: int | None = None
        self.detail: str | None = None
        self.paused_at: float | None = None
        """When the pause began, by the monotonic clock; `None` where the training is not paused."""
        self.validates = False
        """Whether a validation has been asked for that has not come to its end."""
        self.stops_after: str | None = None
        """What a stop waits for: the end of the `epoch` or of a `validation`."""

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None

    def stop_after_batch(self, trainer: Any) -> None:
        """Save, and let Lightning's loops end with this batch, without validating."""
        self._stop(trainer)
        self.leaves_now = True
        trainer.fit_loop.epoch_loop._should_check_val_fx = _no_validation

    def epoch_ends(self, trainer: Any) -> None:
        """Carry out a stop that waited for this; the epoch's validation is over."""
        if self.stops_after is not None and not self.was_stopped:
            self._stop(trainer)

    def validation_ends(self, trainer: Any) -> None:
        """Carry out a stop that waited for this. Amid an epoch, its end is left out: its means would be of a part."""
        self.validates = False
        if self.stops_after == "validation" and not self.was_stopped:
            self._stop(trainer)
            self.leaves_now = not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch

    def validate_next(self, trainer: Any) -> None:
        """Let Lightning validate once when this batch is done, whatever its own rule says."""
        loop = trainer.fit_loop.epoch_loop

        def once(data_fetcher: Any) -> bool:
            vars(loop).pop("_should_check_val_fx", None)
            return True

        loop._should_check_val_fx = once
        self.validates = True

    def restore(self, trainer: Any) -> None:
        """Give the loops their own functions back."""
        vars(trainer.fit_loop.epoch_loop).pop("_should_check_val_fx", None)

    def _stop(self, trainer: Any) -> None:
        self.was_stopped = True
        self.paused_at = None
        self.stop_step = trainer.global_step
        path = os.path.join(self.checkpoints, f"stopped-{_moment(trainer)}.ckpt")
        try:
            save(trainer, path)
            self.detail = path
        except RefusedError as refusal:
            self.detail = f"stopped without a checkpoint: {refusal}"
        trainer.should_stop = True
        # Lightning goes on to these, whatever it is told; a person who says stop means it.
        trainer.fit_loop.min_epochs = None
        trainer.fit_loop.epoch_loop.min_steps = None


def save(trainer: Any, path: str) -> None:
    """Save a checkpoint, on all ranks.

    Raises:
        RefusedError: it cannot be written; training can go on.
    """
    try:
        trainer.save_checkpoint(path)
    except Exception as error:  # whatever a strategy or a file system raises, the training was fine
        with contextlib.suppress(Exception):
            trainer.strategy.barrier()  # in which the other ranks wait: `save_checkpoint` ends with it
        raise RefusedError(f"the checkpoint could not be saved: {type(error).__name__}: {error}") from error


def _stop(steered: Steered, trainer: Any, command: dict[str, Any]) -> str | None:
    after = command.get("after")
    if after not in ("epoch", "validation"):
        steered.stop_after_batch(trainer)
    elif steered.stops_after != "validation":
        steered.stops_after = after if trainer.enable_validation else "epoch"  # which ends without one just the same
    return None


def _checkpoint(steered: Steered, trainer: Any, command: dict[str, Any]) -> str | None:
    path = os.path.join(steered.checkpoints, f"asked-{_moment(trainer)}.ckpt")
    save(trainer, path)
    return path


def _pause(steered: Steered, trainer: Any, command: dict[str, Any]) -> str | None:
    if steered.is_paused:
        raise RefusedError("the run is already paused")
    if steered.leaves_now:
        raise RefusedError("the run is stopping")
    steered.paused_at = time.monotonic()
    return "paused"


def _resume(steered: Steered, trainer: Any, command: dict[str, Any]) -> str | None:
    if steered.paused_at is None:
        raise RefusedError("the run is not paused")
    took = time.monotonic() - steered.paused_at
    steered.paused_at = None
    return f"paused for {took:.1f} s"


def _validate(steered: Steered, trainer: Any, command: dict[str, Any]) -> str | None:
    if not trainer.enable_validation:
        raise RefusedError("this fit has no validation: no data for it, no validation_step, or limit_val_batches=0")
    if steered.leaves_now:
        raise RefusedError("the run is stopping")
    if steered.validates or trainer.validating:
        raise RefusedError("a validation is already running or requested")
    steered.validate_next(trainer)
    return None


def _set_lr(steered: Steered, trainer: Any, command: dict[str, Any]) -> str | None:
    value, group = command.get("value"), command.get("group")
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value) or value <= 0:
        raise RefusedError(f"{value!r} is not a learning rate. Allowed: a number above 0")
    if group is not None and type(group) is not int:
        raise RefusedError(f"{group!r} is not the number of a parameter group")
    try:
        return set_rates(trainer, float(value), group)
    except NoGroupError as error:
        raise RefusedError(str(error)) from error


def _log_level(steered: Steered, trainer: Any, command: dict[str, Any]) -> str | None:
    level = command.get("level")
    if level not in _LEVELS:
        raise RefusedError(f"{level!r} is not a log level. Allowed: {', '.join(_LEVELS)}")
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(_LEVELS[level])
    return f"log level {level}, of Lightning and the root logger, on each rank"


OPERATIONS: dict[str, Callable[[Steered, Any, dict[str, Any]], str | None]] = {
    "stop": _stop,
    "checkpoint": _checkpoint,
    "pause": _pause,
    "resume": _resume,
    "validate": _validate,
    "set-lr": _set_lr,
    "log-level": _log_level,
}
"""By name; each returns what it did, or `None` where that comes later: a validation, a stop."""


def _moment(trainer: Any) -> str:
    return f"epoch={trainer.current_epoch}-step={trainer.global_step}"


def _no_validation(data_fetcher: Any) -> bool:
    return False
