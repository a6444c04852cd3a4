"""What the cockpit asks of the rest of the house, as plain callables: the services' functions here, fakes in tests.

Each is called in a thread, never on the event loop; the first call imports the rest of the house.
"""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from lightning_tui.environment import Environment, Software
    from lightning_tui.plan.model import Plan
    from lightning_tui.plan.recommended import Recommendation
    from lightning_tui.plan.saved import SavedPlan
    from lightning_tui.plan.tuning import BatchSizeResult, LearningRateResult, TuningStep
    from lightning_tui.record import RunDirectory, RunSnapshot, UnreadableRun
    from lightning_tui.record.commands import Operation
    from lightning_tui.services.findings import Findings, Fix
    from lightning_tui.services.machine import Hardware
    from lightning_tui.services.plans import Export, FieldChoices, Judgement, PlanCase
    from lightning_tui.services.programs import ProgramChoice
    from lightning_tui.services.tuning import Goal
    from lightning_tui.settings import Settings
    from lightning_tui.ui.advice.actions import RunAdvice
    from lightning_tui.ui.runs.services import RunServices


P = ParamSpec("P")
T = TypeVar("T")

_LOADING = threading.Lock()
_MODULES = ("environment", "gpus", "launch", "plan.checks")


class Reader(Protocol):
    """Follows one run: `record.RunReader`, or a fake."""

    def poll(self) -> bool: ...

    def snapshot(self) -> RunSnapshot: ...


class Search(Protocol):
    """Looks for a batch size or a learning rate in a child that is gone when this returns or raises.

    Raises:
        RefusalError: there is no result; the message says why.
        Exception: whatever else; also when it was cancelled.
    """

    def __call__(
        self,
        goal: Goal,
        program: ProgramChoice,
        plan: Plan,
        on_progress: Callable[[TuningStep], None],
        is_cancelled: Callable[[], bool],
    ) -> BatchSizeResult | LearningRateResult: ...


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
    tune: Search
    """Look for a batch size or a learning rate."""
    clock: Callable[[], float] = time.time
    adopt: Callable[[RunDirectory], None] | None = None
    """Set a new supervisor over a run whose own has died."""
    advise: Callable[[RunDirectory], RunAdvice] | None = None
    """Advises on a run as it goes on; asked in a thread of its own."""


def real_services(settings: Settings, environ: Mapping[str, str]) -> Services:
    """The services of a real cockpit. Imports and touches nothing slow yet."""
    from lightning_tui.services import control, machine, starting, tuning, watching

    return Services(
        open_run=after_loading(watching.open_run),
        start=after_loading(partial(starting.start, settings, environ)),
        stop=after_loading(partial(control.stop, settings)),
        kill=after_loading(control.kill),
        tell=after_loading(partial(control.tell, settings)),
        last_program=after_loading(partial(starting.last_program, settings.runs_home, Path.cwd())),
        runs=after_loading(partial(watching.snapshots, settings.runs_home)),
        environment=after_loading(partial(machine.inspect_machine, settings, environ)),
        software=after_loading(machine.inspect_software),
        hardware=after_loading(machine.HardwareSampler()),
        plans=_plan_services(settings, environ),
        failures=_failure_services(settings, environ),
        all_runs=partial(_all_runs, settings, environ),
        tune=after_loading(partial(tuning.tune_choice, environ)),
        adopt=after_loading(partial(control.adopt, settings)),
        advise=after_loading(watching.adviser, "diagnosis.live"),
    )


def _plan_services(settings: Settings, environ: Mapping[str, str]) -> PlanServices:
    from lightning_tui.services import plans
    from lightning_tui.services.estimating import Measurements

    measurements, home = Measurements(settings, environ), settings.runs_home
    return PlanServices(
        choices=after_loading(partial(plans.choices, measurements)),
        judge=after_loading(lambda case: plans.judge(case, measurements.known(case.program))),
        recommend=after_loading(lambda case: plans.recommend(case, measurements.known(case.program))),
        measure=after_loading(lambda case, given_up: plans.judge(case, measurements.measure(case.program, given_up))),
        saved=after_loading(partial(plans.saved_plans, home)),
        save=after_loading(partial(plans.save_plan, home)),
        delete=after_loading(partial(plans.delete_plan, home)),
        exports=after_loading(plans.exports),
        write=after_loading(plans.write_new),
    )


def _failure_services(settings: Settings, environ: Mapping[str, str]) -> FailureServices:
    from lightning_tui.services import explaining, relaunching

    modules = ("diagnosis", "services.children", "launch.report")
    return FailureServices(
        explain=after_loading(explaining.explain, *modules),
        relaunch=after_loading(partial(relaunching.relaunch_with_fix, settings, environ), *modules),
    )


def _all_runs(settings: Settings, environ: Mapping[str, str]) -> RunServices:
    from lightning_tui.ui.runs.services import real_run_services

    return real_run_services(settings, environ)


def after_loading(service: Callable[P, T], *modules: str) -> Callable[P, T]:
    """The service, with the modules that it needs imported first; `modules` are those that no other service needs.

    One thread at a time: where one imports a package while another imports a module of it, Python breaks the
    deadlock by handing out a half-made module.
    """

    def call(*arguments: P.args, **named: P.kwargs) -> T:
        with _LOADING:
            for name in (*_MODULES, *modules):
                importlib.import_module(f"lightning_tui.{name}")
        return service(*arguments, **named)

    return call
