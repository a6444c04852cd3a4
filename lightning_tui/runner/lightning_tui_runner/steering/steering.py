"""Carry out what a person asks of a running training, on all ranks at the same batch."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

from ..process.place import Place
from ..process.reporter import Reporter, described
from .agreement import Agreement
from .command_folder import CommandFolder
from .operations import OPERATIONS, RefusedError, Steered

POLL_S = 0.1
"""How often global rank 0 looks for commands while the training is paused."""
HEARTBEAT_S = 2.0
"""How often it then speaks to the other ranks: their patience does not run out, and a rank that died is noticed."""

_LEAVE_PAUSE = {"id": "", "op": "resume"}
"""Said by global rank 0 itself, and answered to nobody."""


class Steering:
    """The commands of one Trainer. May raise: the callback keeps that from the training."""

    def __init__(
        self, place: Place, reporter: Reporter, trainer: Any, tell_pause: Callable[[Any, bool], None] | None = None
    ) -> None:
        self._folder = CommandFolder(place.commands)
        self._reporter = reporter
        self._tell_pause = tell_pause or _tell_nobody
        self._broken: str | None = None
        self._agreement = Agreement(is_leader=bool(trainer.is_global_zero))
        self._checkpoints = place.checkpoints
        self._steered = Steered(self._checkpoints)
        self._found: list[dict[str, Any]] = []
        self._stops: list[dict[str, Any]] = []
        self._validations: list[dict[str, Any]] = []
        self._validation_began = 0.0

    @property
    def leaves_now(self) -> bool:
        """Whether a stop has been carried out that does not wait for the end of the epoch."""
        return self._steered.leaves_now

    def leaves_validation(self, trainer: Any) -> bool:
        """Whether the validation that is going on is to be left, since a stop was carried out amid of it."""
        return self._steered.leaves_now and _validates_in_fit(trainer)

    @property
    def was_stopped(self) -> bool:
        """Whether a stop has been carried out."""
        return self._steered.was_stopped

    def begin(self, trainer: Any) -> None:
        """Open the agreement between the ranks; all must call this."""
        self._agreement.open(trainer)

    def training_begins(self) -> None:
        """What a stop has made of an earlier fit of this Trainer is over."""
        self._steered = Steered(self._checkpoints)
        self._agreement.training_begins()

    def batch_done(self, trainer: Any, step_s: float | None) -> None:
        """Take what is new, where this is a batch to agree at. `step_s`: the time of a batch."""
        if self._agreement.is_due():
            self._accept_new(trainer, lambda: self._offer(trainer), step_s)
            self._stay_while_paused(trainer, step_s)

    def evaluation_batch_done(self, trainer: Any) -> None:
        """Take what is new amid a fit's validation, where no other rank must agree: their validations may differ."""
        if self._agreement.is_alone and _validates_in_fit(trainer) and self._agreement.is_due():
            self._accept_new(trainer, lambda: self._offer(trainer), None)
            self._stay_while_paused(trainer, None)

    def evaluation_begins(self) -> None:
        self._validation_began = time.monotonic()

    def evaluation_ends(self, trainer: Any) -> None:
        """A validation has come to its end: it was asked for, or a stop has waited for it."""
        if _validates_in_fit(trainer):
            self._answer_validations("done", trainer, f"took {time.monotonic() - self._validation_began:.1f} s")
            self._steered.validation_ends(trainer)

    def epoch_ends(self, trainer: Any) -> None:
        """Do what waited for the end of the epoch."""
        self._steered.epoch_ends(trainer)

    def training_ends(self, trainer: Any) -> None:
        """Give the Trainer back what was changed in it."""
        self._steered.restore(trainer)

    def fit_ends(self, trainer: Any) -> None:
        """The stops are done."""
        self._answer_validations("refused", trainer, "the fit ended first")
        for command in self._stops:
            self._acknowledge(command, "done", self._steered.stop_step, self._steered.detail)
        self._stops.clear()

    def break_down(self, error: Exception) -> None:
        """Commands fail here: say so, refuse those that come, and see to it that no other rank waits for this one."""
        if self._broken is None:
            self._broken = f"commands are no longer accepted: {described(error)}"
            self._reporter.complain(self._broken)
        with contextlib.suppress(Exception):
            self._agreement.close()

    def _accept_new(
        self,
        trainer: Any,
        offer: Callable[[], bytes],
        step_s: float | None,
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        message = self._agreement.share(offer, step_s, meanwhile)
        for command in json.loads(message) if message else []:
            if not self._agreement.is_leader:
                self._report_ready(trainer, command)
            if self._broken is None:
                self._carry_out(trainer, command)
            else:
                self._acknowledge(command, "refused", trainer.global_step, self._broken)

    def _stay_while_paused(self, trainer: Any, step_s: float | None) -> None:
        """Stand at this batch, on all ranks, until a command ends the pause. Commands are taken meanwhile."""
        if not self._steered.is_paused:
            return
        self._tell_pause(trainer, True)
        try:
            while self._steered.is_paused:
                self._accept_new(trainer, lambda: self._next_offer(trainer), step_s, lambda: self._poll(trainer))
        finally:
            self._steered.paused_at = None
            self._tell_pause(trainer, False)

    def _next_offer(self, trainer: Any) -> bytes:
        """What comes within a heartbeat."""
        until = time.monotonic() + HEARTBEAT_S
        while time.monotonic() < until:
            time.sleep(POLL_S)
            if getattr(trainer, "received_sigterm", False):  # Lightning acts on it at the next batch
                return json.dumps([_LEAVE_PAUSE]).encode()
            if message := self._offer(trainer):
                return message
        return b""

    def _offer(self, trainer: Any) -> bytes:
        self._poll(trainer)
        commands, self._found = self._found, []
        return json.dumps(commands).encode() if commands else b""

    def _poll(self, trainer: Any) -> None:
        """See what is new. That this rank is here is said before the others are waited for, so that they are named."""
        if not self._agreement.is_leader:
            return
        for command in self._folder.take_new():
            self._found.append(command)
            if not self._agreement.is_alone:
                self._report_ready(trainer, command)

    def _report_ready(self, trainer: Any, command: dict[str, Any]) -> None:
        if command["id"]:
            self._reporter.insist("rank_ack", command=command["id"], global_step=trainer.global_step)

    def _carry_out(self, trainer: Any, command: dict[str, Any]) -> None:
        step = trainer.global_step
        operation = OPERATIONS.get(command["op"])
        if operation is None:
            self._acknowledge(command, "refused", step, f"{command['op']!r} is not a known command")
            return
        self._acknowledge(command, "taken", step)
        try:
            detail = operation(self._steered, trainer, command)
        except RefusedError as refusal:
            self._acknowledge(command, "refused", step, str(refusal))
            return
        if detail is not None:
            self._acknowledge(command, "done", step, detail)
        elif command["op"] == "validate":
            self._validations.append(command)
        else:
            self._stops.append(command)

    def _answer_validations(self, status: str, trainer: Any, detail: str) -> None:
        for command in self._validations:
            self._acknowledge(command, status, trainer.global_step, detail)
        self._validations.clear()

    def _acknowledge(self, command: dict[str, Any], status: str, step: int | None, detail: str | None = None) -> None:
        """Global rank 0 answers for all."""
        if self._agreement.is_leader and command["id"]:
            self._reporter.insist(
                "ack", command=command["id"], op=command["op"], status=status, global_step=step, detail=detail
            )


def _validates_in_fit(trainer: Any) -> bool:
    return trainer.state.fn == "fit" and not trainer.sanity_checking


def _tell_nobody(trainer: Any, is_paused: bool) -> None:
    """Nobody reports here."""
