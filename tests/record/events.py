"""Ready-made events for tests: every field that a test does not care about has a plain value."""

from __future__ import annotations

import itertools
import os
from typing import Any, TypeVar

from lightning_tui.record.events import (
    Ended,
    Event,
    ExceptionRaised,
    FitEnd,
    Hello,
    Progress,
    RankGone,
    StageChanged,
    SupervisorStarted,
    TrainerSeen,
)

EventT = TypeVar("EventT", bound=Event)

_DEFAULTS: dict[type[Event], dict[str, Any]] = {
    Hello: {
        "rank": 0,
        "local_rank": 0,
        "node_rank": 0,
        "world_size": None,
        "host": os.uname().nodename,
        "pid": 999_999_999,
        "started_at": 0.0,
        "executable": "/usr/bin/python3",
        "python": "3.11.7",
        "argv": ["train.py"],
    },
    TrainerSeen: {
        "flavour": "lightning.pytorch",
        "lightning": "2.6.6",
        "torch": "2.13.0",
        "world_size": 1,
        "fields": {},
    },
    StageChanged: {"stage": "train", "epoch": 0, "global_step": 0},
    Progress: {
        "stage": "train",
        "epoch": 0,
        "max_epochs": 2,
        "global_step": 5,
        "max_steps": None,
        "batch": 5,
        "total_batches": 10,
    },
    ExceptionRaised: {
        "type": "ValueError",
        "message": "boom",
        "traceback": "Traceback ...",
        "hook": "train",
        "epoch": 0,
        "global_step": 5,
    },
    FitEnd: {"finished": True, "reason": "completed", "epoch": 2, "global_step": 20},
    RankGone: {"rank": 1, "pid": 4242},
    SupervisorStarted: {
        "node": 0,
        "host": os.uname().nodename,
        "pid": 999_999_998,
        "started_at": 0.0,
        "boot_id": None,
        "attempt": 0,
        "child_pid": 999_999_999,
        "child_started_at": None,
        "command": ["python", "train.py"],
    },
    Ended: {"code": 0, "signal": None, "cause": "program"},
}
_sequence = itertools.count()


def make(event_type: type[EventT], *, time: float = 100.0, **fields: Any) -> EventT:
    """Build an event with defaults for what is not given."""
    return event_type(seq=next(_sequence), time=time, **{**_DEFAULTS.get(event_type, {}), **fields})
