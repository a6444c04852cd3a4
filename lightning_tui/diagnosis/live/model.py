"""What advice is, and what its rules look at: frozen data alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import msgspec

from lightning_tui.diagnosis.model import Diagnosis, Suggestion
from lightning_tui.record import RunSnapshot

if TYPE_CHECKING:
    from lightning_tui.diagnosis.live.memory import Memory

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


class Moment(NamedTuple):
    """What a rule looks at."""

    run: RunSnapshot
    now: float
    """UTC epoch seconds."""
    memory: Memory
    told: frozenset[str]
    """Ids of advice that holds now: its limits are lower, so that it does not come and go."""

    def limit(self, advice: str, *, above: float, until: float) -> float:
        """The limit from which advice is given, and the other one down to which it goes on."""
        return until if advice in self.told else above

    def actual(self, field: str) -> Any:
        """What is in effect for a field of the plan; `None` where it is not known."""
        known = self.run.trainer.fields.get(field) if self.run.trainer is not None else None
        return None if known is None else known.actual

    def whole(self, field: str) -> int | None:
        """The same, where it is a whole number."""
        value = self.actual(field)
        return value if type(value) is int else None
