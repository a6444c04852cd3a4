"""What does a rule of live advice look at? The run now, what was seen of it before, and what advice holds."""

from __future__ import annotations

from typing import Any, NamedTuple

from lightning_tui.diagnosis.live.observations import Observations
from lightning_tui.record import RunSnapshot


class RuleInput(NamedTuple):
    """What a rule looks at."""

    run: RunSnapshot
    now: float
    """UTC epoch seconds."""
    seen: Observations
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
