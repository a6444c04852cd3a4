"""Which program would be started, and under which plan? From the words that were typed, or from a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lightning_tui.services.programs import ProgramChoice

if TYPE_CHECKING:
    from lightning_tui.plan.model import Plan
    from lightning_tui.record import RunSnapshot
    from lightning_tui.ui.options import CockpitOptions


def choose(options: CockpitOptions, given: tuple[str, ...], folder: Path | None = None) -> ProgramChoice:
    """The program of these words, in this folder or the current one."""
    return ProgramChoice(given, folder or Path.cwd(), options.interpreter, options.interpreter_is_given)


def program_of(run: RunSnapshot, options: CockpitOptions) -> ProgramChoice | None:
    """A run's program as a choice; none where its words hold masked secrets and could not be started as they were."""
    from lightning_tui.record.masking import MASK

    program = run.record.program
    if not program.given or any(MASK in word for word in program.given):
        return None
    interpreter = options.interpreter if options.interpreter_is_given else Path(program.interpreter)
    return ProgramChoice(tuple(program.given), Path(program.folder), interpreter, options.interpreter_is_given)


def plan_of(run: RunSnapshot) -> Plan | None:
    """A run's plan as a plan; `None` where it cannot be read as one."""
    from lightning_tui.plan.model import PlanError, plan_from_mapping

    try:
        return plan_from_mapping(run.record.plan)
    except PlanError:
        return None
