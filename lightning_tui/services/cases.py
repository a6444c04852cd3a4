"""What is asked about a plan, and what is answered? Plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from lightning_tui.environment import Environment
    from lightning_tui.plan.catalog import Choice
    from lightning_tui.plan.estimate import Estimate
    from lightning_tui.plan.model import Plan
    from lightning_tui.plan.outlook import Outlook
    from lightning_tui.services.programs import ProgramChoice


class PlanCase(msgspec.Struct, frozen=True):
    """A plan, and what it is for: the question that all of these are asked."""

    plan: Plan
    program: ProgramChoice | None
    environment: Environment | None


@dataclass(frozen=True)
class Judgement:
    """What is known of a plan without starting it."""

    problems: tuple[str, ...] = ()
    """What surely keeps it from working, a sentence each."""
    recommended: Mapping[str, object] = field(default_factory=dict)
    """Values of the fields that would be recommended."""
    memory: Outlook | None = None
    """`None` where the program was not measured yet."""
    unmeasured_because: str = ""
    """Why the program's memory could not be measured, where that was tried."""


@dataclass(frozen=True)
class FieldChoices:
    """What a field may be set to."""

    choices: Sequence[Choice] = ()
    """Empty where any value may be typed."""
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    """Memory by the choice's name."""
    capacity: int | None = None
    is_complete: bool = True
    """Whether nothing more can be learnt of them by asking again, patiently."""


class Export(msgspec.Struct, frozen=True):
    """The plan in one form."""

    title: str
    text: str
    """Secrets masked."""
    file_name: str
    """What a file with it would be called."""
