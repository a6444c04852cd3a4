"""How does the cockpit open? What the command line gives it, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning_tui.plan.model import Plan
    from lightning_tui.record import RunDirectory
    from lightning_tui.settings import Settings


@dataclass(frozen=True)
class CockpitOptions:
    """How the cockpit opens."""

    settings: Settings
    given: list[str] | None
    """The words after `--`; `None` where no program was named: then the one that ran last here is offered."""
    interpreter: Path
    interpreter_is_given: bool
    plan: Plan
    attach: RunDirectory | None
    """The run to open on."""
    start_at_once: bool
    environ: Mapping[str, str]
    """The environment that runs get, copied before Textual changes its own."""
    readonly: bool = False
    """Whether the cockpit only watches."""
    is_ascii: bool = False
    """Whether ASCII is asked for; where it is not, the environment and the terminal's encoding decide."""
