"""What the cockpit asks of the rest of the house, as plain callables: the services' functions here, fakes in tests.

Each is called in a thread, never on the event loop; the first call imports the rest of the house.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from lightning_tui import record
    from lightning_tui.diagnosis import live
    from lightning_tui.diagnosis.live import Advice
    from lightning_tui.environment import Environment, Software
    from lightning_tui.plan.model import Plan
    from lightning_tui.plan.recommended import Recommendation
    from lightning_tui.plan.saved import SavedPlan
    from lightning_tui.plan.tuning import BatchSizeResult, LearningRateResult, TuningStep
    from lightning_tui.record import RunDirectory, RunSnapshot, UnreadableRun, summaries
    from lightning_tui.record.commands import Operation
    from lightning_tui.record.summaries import RunSummary
    from lightning_tui.services import (
        control,
        estimating,
        explaining,
        machine,
        plans,
        programs,
        relaunching,
        runs,
        starting,
        tuning,
    )
    from lightning_tui.services.cases import Export, FieldChoices, Judgement, PlanCase
    from lightning_tui.services.estimating import Measured
    from lightning_tui.services.findings import Findings, Fix
    from lightning_tui.services.machine import Hardware
    from lightning_tui.services.programs import ProgramChoice
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
    from lightning_tui.services.tuning import Goal
    from lightning_tui.settings import Settings


P = ParamSpec("P")
T = TypeVar("T")

_LOADING = threading.Lock()


class LateModule:
    """A module that is imported when it is first asked for something, by one thread at a time: where one imports a
    package while another imports a module of it, Python breaks the deadlock by handing out a half-made module."""

    def __init__(self, name: str) -> None:
        self._module = f"lightning_tui.{name}"

    def __getattr__(self, name: str) -> Any:
        with _LOADING:
            module = import_module(self._module)
        return getattr(module, name)


if not TYPE_CHECKING:
    record, live = LateModule("record"), LateModule("diagnosis.live")
    control, estimating, explaining = (
        LateModule(f"services.{name}") for name in ("control", "estimating", "explaining")
    )
    machine, plans, programs = (LateModule(f"services.{name}") for name in ("machine", "plans", "programs"))
    relaunching, runs, starting, tuning = (
        LateModule(f"services.{name}") for name in ("relaunching", "runs", "starting", "tuning")
    )
    summaries = LateModule("record.summaries")


class Reader(Protocol):
    """Follows one run: `record.RunReader`, or a fake."""

    def poll(self) -> bool: ...

    def snapshot(self) -> RunSnapshot: ...


TuningSearch = Callable[
    ["Goal", "ProgramChoice", "Plan", Callable[["TuningStep"], None], Callable[[], bool]],
    "BatchSizeResult | LearningRateResult",
]
"""Looks for a batch size or a learning rate in a child that is gone when this returns or raises: `RefusalError` says
why there is no result. It tells its steps, and asks whether it was cancelled."""


class PlanServices(NamedTuple):
    """What is asked about plans. Each callable may raise `RefusalError`."""

    choices: Callable[[str, PlanCase, bool], FieldChoices]
    """The field, and whether there is patience: then it may take seconds, else it answers at once."""
    judge: Callable[[PlanCase], Judgement]
    recommend: Callable[[PlanCase], Recommendation]
    measure: Callable[[PlanCase, Callable[[], bool]], Judgement]
    """Run the program up to its fit and look at its model. The callable says whether it was given up."""
    saved: Callable[[PlanCase], Sequence[SavedPlan]]
    save: Callable[[PlanCase, str], Path]
    delete: Callable[[PlanCase, str], None]
    exports: Callable[[PlanCase], Sequence[Export]]
    write: Callable[[Path, str], None]
    """Write a new file."""


class FailureServices(NamedTuple):
    """What is asked about a run in trouble. Each callable may raise `RefusalError`."""

    explain: Callable[[RunSnapshot, Environment | None, bool], Findings]
    """The run, the machine where it is known, and whether the report may be written."""
    relaunch: Callable[[RunDirectory, Fix], RunDirectory]
    """Start a child of the run with what the fix changes; its directory."""


@dataclass(frozen=True)
class RunServices:
    """What is asked about all runs. Each callable may raise `RefusalError`."""

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


class RunAdvice(Protocol):
    """Advises on one run: `diagnosis.live.RunAdviser`, or a fake. Asked in one thread."""

    def look(self, run: RunSnapshot, now: float) -> tuple[Advice, ...]: ...


@dataclass(frozen=True)
class Services:
    """The outside of the cockpit. Each callable may raise `RefusalError`."""

    open_run: Callable[[RunDirectory], Reader]
    start: Callable[[ProgramChoice, Plan], RunDirectory]
    stop: Callable[[RunDirectory], object]
    """Ask for a gentle stop; asked again, for the next and harder step at once."""
    kill: Callable[[RunDirectory], object]
    tell: Callable[[RunDirectory, Operation, Mapping[str, object]], object]
    """Ask a training for what it can do while it goes on; the run's snapshots tell the answer."""
    last_program: Callable[[], Sequence[str]]
    """What to offer where no program was named; may be empty."""
    runs: Callable[[], Iterator[RunSnapshot | UnreadableRun]]
    environment: Callable[[], Environment]
    software: Callable[[Path], Software]
    hardware: Callable[[], Hardware]
    plans: PlanServices
    failures: FailureServices
    all_runs: Callable[[], RunServices]
    """What the runs screen asks; made when it opens, and not in a thread."""
    tune: TuningSearch
    """Look for a batch size or a learning rate."""
    clock: Callable[[], float] = time.time
    adopt: Callable[[RunDirectory], None] | None = None
    """Set a new supervisor over a run whose own has died."""
    advise: Callable[[RunDirectory], RunAdvice] | None = None
    """Advises on a run as it goes on; asked in a thread of its own."""


def real_services(settings: Settings, environ: Mapping[str, str]) -> Services:
    """The services of a real cockpit. Imports and touches nothing slow yet."""
    folder, sampler = Path.cwd(), cache(lambda: machine.HardwareSampler())
    return Services(
        open_run=lambda run: record.RunReader(run),
        start=lambda program, plan: starting.start(settings, environ, program, plan),
        stop=lambda run: control.stop(settings, run),
        kill=lambda run: control.kill(run),
        tell=lambda run, op, what: control.tell(settings, run, op, what),
        last_program=lambda: starting.last_program(settings.runs_home, folder),
        runs=lambda: record.RunStore(settings.runs_home).snapshots(),
        environment=lambda: machine.inspect_machine(settings, environ),
        software=lambda interpreter: machine.inspect_software(interpreter),
        hardware=lambda: sampler()(),
        plans=_plan_services(settings, environ),
        failures=FailureServices(
            explain=lambda run, environment, may_write: explaining.explain(run, environment, may_write),
            relaunch=lambda run, fix: relaunching.relaunch_with_fix(settings, environ, run, fix),
        ),
        all_runs=lambda: run_services(settings, environ),
        tune=lambda goal, program, plan, on_progress, is_cancelled: tuning.tune(
            environ, goal, programs.find_safe_program(program, environ), plan, on_progress, is_cancelled=is_cancelled
        ),
        adopt=lambda run: control.adopt(settings, run),
        advise=lambda run: live.RunAdviser(run),
    )


def _plan_services(settings: Settings, environ: Mapping[str, str]) -> PlanServices:
    home, measurements = settings.runs_home, cache(lambda: estimating.Measurements(settings, environ))

    def known(case: PlanCase) -> Measured | None:
        return measurements().known(case.program)

    return PlanServices(
        choices=lambda name, case, is_patient: plans.choices(name, case, known(case), is_patient),
        judge=lambda case: plans.judge(case, known(case)),
        recommend=lambda case: plans.recommend(case, known(case)),
        measure=lambda case, given_up: plans.judge(case, measurements().measure(case.program, given_up)),
        saved=lambda case: plans.saved_plans(home, case).all(),
        save=lambda case, name: plans.saved_plans(home, case).save(name, case.plan),
        delete=lambda case, name: plans.saved_plans(home, case).delete(name),
        exports=lambda case: plans.exports(case),
        write=lambda path, text: plans.write_new(path, text),
    )


def run_services(settings: Settings, environ: Mapping[str, str]) -> RunServices:
    """What a real runs screen asks."""
    home = settings.runs_home
    return RunServices(
        runs=lambda: runs.list_runs(home),
        run=lambda run: summaries.summarize(run),
        mark=lambda: runs.home_mark(home),
        details=lambda run: runs.details_of(run),
        compare=lambda first, second: runs.compare(first, second),
        prunable=lambda rule: runs.prunable(home, rule),
        delete=lambda found, rule: runs.delete(home, found, rule),
        write_notes=lambda run, name, note: runs.write_notes(run, name, note),
        plan_child=lambda origin: runs.plan_child(origin),
        relaunch=lambda origin, choice, plan: relaunching.relaunch_under(settings, environ, origin, choice, plan),
    )
