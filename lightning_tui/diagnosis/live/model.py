"""What is advice, and what does it need to know beside the run's record? Frozen data alone."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import msgspec

from lightning_tui.diagnosis.model import Diagnosis, Suggestion

Weight: TypeAlias = Literal["error", "warning", "hint"]
"""`error`: the run is worth nothing as it goes on; `warning`: it loses time or may lose work; `hint`: it could be
better."""

ORDER: tuple[Weight, ...] = ("error", "warning", "hint")


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a run could do better, with this run's numbers."""

    id: str
    """Of the rule, and of what it is said of where that may be several: `gpu-throttled`, `metric-lost:train_loss`."""
    severity: Weight
    title: str
    """One line."""
    cause: str
    suggestions: tuple[Suggestion, ...] = ()
    """Their changes are for the plan of the next run."""
    rank: int | None = None
    step: int | None = None
    """Global step at which it began, where there is one."""
    since: float = 0.0
    """When it was first seen, UTC epoch seconds."""
    until: float | None = None
    """When it was so last, where it is so no longer."""


class Around(NamedTuple):
    """What a run's record does not say: measured or read by whoever watches it."""

    disk_free: int | None = None
    """Bytes that are free where its checkpoints go."""
    warnings: tuple[Diagnosis, ...] = ()
    """Known warnings that its output was found to hold since the look before."""


NOTHING = Around()
