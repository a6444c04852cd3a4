"""All ranks learn the same thing at the same batch: a message from global rank 0 over a gloo group of our own."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Any

LATENCY_S = 0.25
"""How long a command may lie unseen, as far as steps allow."""
BUDGET = 0.001
"""The share of a step's time that agreeing may cost."""
LONGEST_INTERVAL = 512

_OPENING = timedelta(minutes=2)
_PATIENCE = timedelta(minutes=30)
_OVER = -1
_LOOK_S = 0.02


class AgreementOverError(Exception):
    """Global rank 0 has closed the agreement; nothing is agreed from here on."""


class Agreement:
    """Which batch is the next to agree at is itself part of what is agreed, so no rank ever waits for another alone."""

    def __init__(self, *, is_leader: bool) -> None:
        self.is_leader = is_leader
        self._group: Any = None
        self._had_group = True  # until it is known that there is none to have
        self._batches = 0
        self._next = 1
        self._interval = 1
        self._due_at = 0.0
        self._costs_s: deque[float] = deque(maxlen=16)

    def open(self, trainer: Any) -> None:
        """Open the group, where there are several ranks; all must call this.

        Raises:
            RuntimeError: it cannot be opened (no gloo, no way between the hosts).
        """
        self._group = _open_group(trainer)
        self._had_group = self._group is not None

    @property
    def is_alone(self) -> bool:
        """Whether there is no other rank to agree with."""
        return self._group is None and not self._had_group

    def training_begins(self) -> None:
        """Agree at the first batch: another fit may have left other counts behind."""
        self._batches, self._next, self._interval, self._due_at = 0, 1, 1, 0.0

    def is_due(self) -> bool:
        """Whether this batch, just done, is one to agree at. To be asked once for each."""
        self._batches += 1
        if self._group is None:
            return time.perf_counter() >= self._due_at
        return self._batches >= self._next

    def share(
        self, offer: Callable[[], bytes], step_s: float | None, meanwhile: Callable[[], None] | None = None
    ) -> bytes:
        """Return what the leader's `offer` gives, on all ranks; empty where there is nothing.

        Args:
            step_s: time of a batch.
            meanwhile: called again and again while this rank waits for the others. With it signals are heard too:
                Lightning's own answer to SIGTERM is one in which all ranks must join, wherever they wait.

        Raises:
            AgreementOverError: the leader's offer failed; said by all ranks at the same batch.
            RuntimeError: a rank cannot be reached.
        """
        if self._group is None:
            self._due_at = time.perf_counter() + LATENCY_S
            return offer()
        message, failure = b"", None
        if self.is_leader:
            try:
                message = offer()
            except Exception as error:  # noqa: BLE001  # the other ranks wait: they must hear of it first
                failure = error
            self._interval = self._next_interval(step_s)
        message, self._next = self._broadcast(message, meanwhile, is_over=failure is not None)
        if failure is not None:
            raise failure
        return message

    def close(self) -> None:
        """Leave the group. A rank that waits in it, now or later, is told by the closed connection."""
        if self._group is not None:
            import torch.distributed as dist

            group, self._group = self._group, None
            dist.destroy_process_group(group)

    def _broadcast(self, message: bytes, meanwhile: Callable[[], None] | None, *, is_over: bool) -> tuple[bytes, int]:
        import torch
        import torch.distributed as dist

        length = _OVER if is_over else len(message)
        head = torch.tensor([length, self._batches + self._interval], dtype=torch.int64, device="cpu")
        begun = time.perf_counter()
        if meanwhile is None:
            dist.broadcast(head, 0, group=self._group)
        else:
            _wait_for(dist.broadcast(head, 0, group=self._group, async_op=True), meanwhile)
        self._costs_s.append(time.perf_counter() - begun)
        length, following = head.tolist()
        if length == _OVER and not self.is_leader:
            raise AgreementOverError("rank 0 stopped accepting commands")
        if length > 0:
            body = torch.frombuffer(bytearray(message or bytes(length)), dtype=torch.uint8)
            dist.broadcast(body, 0, group=self._group)
            message = bytes(body.tolist())
        return message, following

    def _next_interval(self, step_s: float | None) -> int:
        if not step_s:
            return 1
        for_latency = int(LATENCY_S / step_s)
        # The least of the last costs: the others contain the other ranks' delays, which are no cost of agreeing.
        for_budget = math.ceil(min(self._costs_s, default=0.0) / (BUDGET * step_s))
        return max(1, min(LONGEST_INTERVAL, 2 * self._interval, max(for_latency, for_budget)))


def _wait_for(work: Any, meanwhile: Callable[[], None]) -> None:
    while not work.is_completed():
        time.sleep(_LOOK_S)
        meanwhile()
    work.wait()


def _open_group(trainer: Any) -> Any:
    import torch.distributed as dist

    if trainer.world_size == 1:
        return None
    if not (dist.is_available() and dist.is_initialized()):
        raise RuntimeError(f"{type(trainer.strategy).__name__} offers no process group for the agreement of the ranks")
    group = dist.new_group(backend="gloo", timeout=_OPENING)
    # As patient as the program's own collectives, not more: a rank that hangs must be noticed as it is without us.
    patience = max(_PATIENCE, getattr(trainer.strategy, "_timeout", None) or _PATIENCE)
    set_timeout = getattr(dist.distributed_c10d, "_set_pg_timeout", None)
    if set_timeout is not None:
        set_timeout(patience, group)
    return group
