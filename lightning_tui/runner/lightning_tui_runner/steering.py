"""Carry out what a person asks of a running training, on all ranks at the same batch."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from .agreement import Agreement
from .command_folder import CommandFolder
from .operations import OPERATIONS, RefusedError, Steered
from .place import Place
from .reporter import Reporter, described


class Steering:
    """The commands of one Trainer. May raise: the callback keeps that from the training."""

    def __init__(self, place: Place, reporter: Reporter, trainer: Any) -> None:
        self._folder = CommandFolder(place.commands)
        self._reporter = reporter
        self._broken: str | None = None
        self._agreement = Agreement(is_leader=bool(trainer.is_global_zero))
        self._steered = Steered(place.checkpoints)
        self._unfinished: list[dict[str, Any]] = []

    @property
    def leaves_now(self) -> bool:
        """Whether a stop has been carried out that does not wait for the end of the epoch."""
        return self._steered.leaves_now

    @property
    def was_stopped(self) -> bool:
        """Whether a stop has been carried out."""
        return self._steered.was_stopped

    def begin(self, trainer: Any) -> None:
        """Open the agreement between the ranks; all must call this."""
        self._agreement.open(trainer)

    def training_begins(self) -> None:
        self._agreement.training_begins()

    def batch_done(self, trainer: Any, step_s: float | None) -> None:
        """Take what is new, where this is a batch to agree at. `step_s`: the time of a batch."""
        if not self._agreement.is_due():
            return
        message = self._agreement.share(self._offer, step_s)
        for command in json.loads(message) if message else []:
            if self._broken is None:
                self._carry_out(trainer, command)
            else:
                self._acknowledge(command, "refused", trainer.global_step, self._broken)

    def epoch_ends(self, trainer: Any) -> None:
        """Do what waited for the end of the epoch."""
        self._steered.epoch_ends(trainer)

    def training_ends(self, trainer: Any) -> None:
        """Give the Trainer back what was changed in it."""
        self._steered.restore(trainer)

    def fit_ends(self) -> None:
        """The stops are done."""
        for command in self._unfinished:
            self._acknowledge(command, "done", self._steered.stop_step, self._steered.detail)
        self._unfinished.clear()

    def break_down(self, error: Exception) -> None:
        """Commands fail here: say so, refuse those that come, and see to it that no other rank waits for this one."""
        if self._broken is None:
            self._broken = f"commands can no longer be taken: {described(error)}"
            self._reporter.complain(self._broken)
        with contextlib.suppress(Exception):
            self._agreement.close()

    def _offer(self) -> bytes:
        commands = self._folder.take_new() if self._agreement.is_leader else []
        return json.dumps(commands).encode() if commands else b""

    def _carry_out(self, trainer: Any, command: dict[str, Any]) -> None:
        step = trainer.global_step
        operation = OPERATIONS.get(command["op"])
        if operation is None:
            self._acknowledge(command, "refused", step, f"{command['op']!r} is no command that a training knows")
            return
        self._acknowledge(command, "taken", step)
        try:
            detail = operation(self._steered, trainer, command)
        except RefusedError as refusal:
            self._acknowledge(command, "refused", step, str(refusal))
            return
        if detail is None:
            self._unfinished.append(command)
        else:
            self._acknowledge(command, "done", step, detail)

    def _acknowledge(self, command: dict[str, Any], status: str, step: int | None, detail: str | None = None) -> None:
        if self._agreement.is_leader:
            self._reporter.insist(
                "ack", command=command["id"], op=command["op"], status=status, global_step=step, detail=detail
            )
