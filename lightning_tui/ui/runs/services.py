"""What the runs screen asks of the house about all runs: each callable is called in a thread, fakes stand in tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from lightning_tui.record.summaries import RunSummary, summarize
from lightning_tui.services import runs as services
from lightning_tui.ui.services import after_loading, check_may_start, refusals

if TYPE_CHECKING:
    from lightning_tui.plan.model import Plan
    from lightning_tui.record import RunDirectory
    from lightning_tui.services.runs import (
        ComparedRuns,
        Deletion,
        ListedRun,
        Origin,
        PlannedChild,
        PruneRule,
        Pruning,
        RunDetails,
    )
    from lightning_tui.settings import Settings
    from lightning_tui.ui.services import ProgramChoice

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class RunServices:
    """Each callable may raise `RefusalError`."""

    runs: Callable[[], Iterator[ListedRun]]
    """Every run."""
    run: Callable[[RunDirectory], RunSummary]
    """One run as it is now."""
    mark: Callable[[], object]
    """Differs when a run was made or deleted since it was asked last."""
    details: Callable[[RunDirectory], RunDetails]
    compare: Callable[[RunDirectory, RunDirectory], ComparedRuns]
    prunable: Callable[[PruneRule], Pruning]
    delete: Callable[[Sequence[RunDirectory], PruneRule | None], Deletion]
    """Delete runs; by a rule, those that still fall under it."""
    write_notes: Callable[[RunDirectory, str, str], None]
    """A run's name and note."""
    plan_child: Callable[[Origin], PlannedChild]
    relaunch: Callable[[Origin, ProgramChoice, Plan], RunDirectory]
    """Start a child under this plan."""


def real_run_services(settings: Settings, environ: Mapping[str, str]) -> RunServices:
    """The services of a real cockpit. Touches nothing slow yet."""
    home = settings.runs_home
    return RunServices(
        runs=_asked(partial(_runs, home)),
        run=_asked(summarize),
        mark=partial(services.home_mark, home),
        details=_asked(services.details_of),
        compare=_asked(services.compare),
        prunable=_asked(partial(services.prunable, home)),
        delete=_asked(partial(services.delete, home)),
        write_notes=_asked(services.write_notes),
        plan_child=_asked(services.plan_child),
        relaunch=_asked(partial(_relaunch, settings, environ)),
    )


def _asked(service: Callable[P, T]) -> Callable[P, T]:
    """The service, loaded before it is called the first time; the errors of the house are refusals."""
    return after_loading(refusals()(service), "lightning_tui.launch.relaunch", "lightning_tui.diagnosis")


def _runs(home: Path) -> Iterator[ListedRun]:
    with refusals():
        yield from services.list_runs(home)


def _relaunch(
    settings: Settings, environ: Mapping[str, str], origin: Origin, choice: ProgramChoice, plan: Plan
) -> RunDirectory:
    from lightning_tui.launch.relaunch import plan_of_child, program_of_run, relaunch
    from lightning_tui.plan.comparison import changed_fields

    record = origin.run.read_record()
    given = None if list(choice.given) == record.program.given else list(choice.given)
    check_may_start(settings, environ, program_of_run(record, given, environ).interpreter, plan)
    resumed = plan_of_child(record, {}, origin.checkpoint)
    checkpoint = origin.checkpoint if plan.ckpt_path == resumed.ckpt_path else None
    changed = changed_fields(plan_of_child(record, {}, checkpoint), plan)
    changes = {name: after for name, (_, after) in changed.items()}
    return relaunch(settings, origin.run, changes, checkpoint=checkpoint, environ=environ, given=given)
