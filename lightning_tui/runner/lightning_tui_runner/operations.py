"""What a command does to a Trainer. Each is called on all ranks at the same batch, after the optimizer has stepped."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any


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
        self._stops_after_epoch = False

    def stop_after_batch(self, trainer: Any) -> None:
        """Save, and let Lightning's loops end with this batch, without validating."""
        self._stop(trainer)
        self.leaves_now = True
        trainer.fit_loop.epoch_loop._should_check_val_fx = _no_validation

    def stop_after_epoch(self) -> None:
        self._stops_after_epoch = True

    def epoch_ends(self, trainer: Any) -> None:
        """Carry out a stop that waited for this; the epoch's validation is over."""
        if self._stops_after_epoch and not self.was_stopped:
            self._stop(trainer)

    def restore(self, trainer: Any) -> None:
        """Give the loops their own functions back."""
        vars(trainer.fit_loop.epoch_loop).pop("_should_check_val_fx", None)

    def _stop(self, trainer: Any) -> None:
        self.was_stopped = True
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
    if command.get("after") == "epoch":
        steered.stop_after_epoch()
    else:
        steered.stop_after_batch(trainer)
    return None


def _checkpoint(steered: Steered, trainer: Any, command: dict[str, Any]) -> str | None:
    path = os.path.join(steered.checkpoints, f"asked-{_moment(trainer)}.ckpt")
    save(trainer, path)
    return path


OPERATIONS: dict[str, Callable[[Steered, Any, dict[str, Any]], str | None]] = {
    "stop": _stop,
    "checkpoint": _checkpoint,
}
"""By name; each returns what it did, or `None` where it is done when the fit ends."""


def _moment(trainer: Any) -> str:
    return f"epoch={trainer.current_epoch}-step={trainer.global_step}"


def _no_validation(data_fetcher: Any) -> bool:
    return False
