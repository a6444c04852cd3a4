"""What the cockpit asks of the rest of the house, as plain callables: the real ones here, fakes in tests.

Each is called in a thread, never on the event loop; the first call imports the rest of the house.
"""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, Protocol, TypeVar

import msgspec

if TYPE_CHECKING:
    from lightning_tui.environment import Environment, Software
    from lightning_tui.gpus import GpuSampler, HostReader
    from lightning_tui.plan.model import Plan
    from lightning_tui.record import GpuSample, HostSample, RunDirectory, RunSnapshot, UnreadableRun
    from lightning_tui.record.commands import Operation
    from lightning_tui.settings import Settings
    from lightning_tui.ui.advice.actions import RunAdvice
    from lightning_tui.ui.failure_services import FailureServices
    from lightning_tui.ui.plan_services import PlanServices
    from lightning_tui.ui.runs.services import RunServices
    from lightning_tui.ui.tuning.thread import TuningSearch


P = ParamSpec("P")
T = TypeVar("T")

EXAMPLE = ["demo"]

_LOADING = threading.Lock()

_RECENT_RUNS = 50

_FIRST_LOOK_S = 1.0
"""How long the first look at the GPUs may keep the host's readings waiting."""


class RefusalError(Exception):
    """Something that was asked cannot be done; the message is for people."""


class Reader(Protocol):
    """Follows one run: `record.RunReader`, or a fake."""

    def poll(self) -> bool: ...

    def snapshot(self) -> RunSnapshot: ...


class Hardware(NamedTuple):
    """One look at this machine while no run reports it."""

    gpus: tuple[GpuSample, ...]
    gpus_missing: str | None
    host: HostSample


class ProgramChoice(msgspec.Struct, frozen=True):
    """The program that `start` would start."""

    given: tuple[str, ...]
    folder: Path
    interpreter: Path
    interpreter_is_given: bool

    @property
    def label(self) -> str:
        """Short name until the program has been resolved."""
        words = self.given
        return " ".join(words[:2]) if words[0] == "-m" else Path(words[0]).name


@dataclass(frozen=True)
class Services:
    """The outside of the cockpit. Each callable may raise `RefusalError`."""

    open_run: Callable[[RunDirectory], Reader]
    start: Callable[[ProgramChoice, Plan], RunDirectory]
    stop: Callable[[RunDirectory], None]
    """Ask for a gentle stop; asked again, for the next and harder step at once."""
    kill: Callable[[RunDirectory], None]
    tell: Callable[[RunDirectory, Operation, Mapping[str, object]], None]
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
    from lightning_tui.ui.failure_services import real_failure_services
    from lightning_tui.ui.plan_services import real_plan_services
    from lightning_tui.ui.tuning.thread import real_search

    return Services(
        open_run=after_loading(_open_run),
        start=after_loading(partial(_start, settings, environ)),
        stop=after_loading(partial(_stop, settings.stop_patience_s)),
        kill=after_loading(_kill),
        tell=after_loading(partial(_tell_run, settings.stop_patience_s)),
        last_program=after_loading(partial(_last_program, settings.runs_home, Path.cwd())),
        runs=after_loading(partial(_runs, settings.runs_home)),
        environment=after_loading(partial(_environment, settings, environ)),
        software=after_loading(_software),
        hardware=after_loading(_Sampler()),
        plans=real_plan_services(settings, environ),
        failures=real_failure_services(settings, environ),
        all_runs=partial(_all_runs, settings, environ),
        tune=real_search(environ),
        adopt=after_loading(partial(_adopt, settings.stop_patience_s)),
        advise=after_loading(_advise, "lightning_tui.diagnosis.live"),
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
            import lightning_tui.environment
            import lightning_tui.gpus
            import lightning_tui.launch
            import lightning_tui.plan.checks  # noqa: F401

            for name in modules:
                importlib.import_module(name)
        return service(*arguments, **named)

    return call


def _open_run(directory: RunDirectory) -> Reader:
    from lightning_tui.record import RunReader

    with refusals():
        return RunReader(directory)


def _start(settings: Settings, environ: Mapping[str, str], choice: ProgramChoice, plan: Plan) -> RunDirectory:
    from lightning_tui.launch import resolve_program, start_run
    from lightning_tui.record import RunStore

    with refusals():
        program = resolve_program(
            list(choice.given),
            interpreter=choice.interpreter,
            interpreter_is_given=choice.interpreter_is_given,
            folder=choice.folder,
            environ=environ,
        )
        check_may_start(settings, environ, program.interpreter, plan)
        return start_run(
            RunStore(settings.runs_home),
            program,
            plan.changes(),
            environ=environ,
            stop_patience_s=settings.stop_patience_s,
            term_patience_s=settings.term_patience_s,
            max_restarts=settings.max_restarts,
        )


def check_may_start(settings: Settings, environ: Mapping[str, str], interpreter: Path, plan: Plan) -> None:
    """Look whether this interpreter may run, and this plan can work on this machine.

    Raises:
        RefusalError: a release that must not be run.
        PlanError: the plan cannot work here.
    """
    from lightning_tui.environment import probe_software, reason_not_to_start, with_software
    from lightning_tui.plan import check_plan, machine_facts

    software = probe_software(interpreter)
    reason = reason_not_to_start(software)
    if reason is not None:
        raise RefusalError(reason)
    if plan.changes():
        facts = machine_facts(with_software(_environment(settings, environ), software))
        check_plan(plan, facts=facts, interpreter=interpreter)


def _stop(patience_s: float, directory: RunDirectory) -> None:
    from lightning_tui.launch import request_stop

    with refusals():
        request_stop(directory, stop_patience_s=patience_s)


def _adopt(patience_s: float, directory: RunDirectory) -> None:
    from lightning_tui.launch import adopt_run

    with refusals():
        adopt_run(directory, stop_patience_s=patience_s)


def _kill(directory: RunDirectory) -> None:
    from lightning_tui.launch import request_kill

    with refusals():
        request_kill(directory)


def _tell_run(patience_s: float, directory: RunDirectory, op: Operation, what: Mapping[str, object]) -> None:
    from lightning_tui.launch import request

    with refusals():
        request(directory, op, stop_patience_s=patience_s, **what)  # type: ignore[arg-type]  # checked by the command


def _advise(directory: RunDirectory) -> RunAdvice:
    from lightning_tui.diagnosis.live import RunAdviser

    return RunAdviser(directory)


@contextmanager
def refusals() -> Iterator[None]:
    """Turn the errors of the house into refusals."""
    from lightning_tui.launch import LaunchError, ProgramError
    from lightning_tui.plan.model import PlanError
    from lightning_tui.record import CommandError, RecordError

    try:
        yield
    except (CommandError, PlanError, ProgramError, LaunchError, RecordError) as error:
        raise RefusalError(str(error)) from error


def _last_program(home: Path, folder: Path) -> list[str]:
    """What was run last in this folder, looked for among the most recent runs only; else the example."""
    from lightning_tui.record import RecordError, RunStore

    try:
        directories = sorted(RunStore(home).directories(), key=lambda found: found.path.stat().st_mtime, reverse=True)
    except (RecordError, OSError):  # the list of runs, or a start, will say what is wrong with this place
        return EXAMPLE
    records = []
    for directory in directories[:_RECENT_RUNS]:
        try:
            records.append(directory.read_record())
        except RecordError:
            continue
    here = [record for record in records if record.program.folder == str(folder)]
    newest = max(here, key=lambda record: record.created_at, default=None)
    return newest.program.given if newest is not None else EXAMPLE


def _runs(home: Path) -> Iterator[RunSnapshot | UnreadableRun]:
    from lightning_tui.record import RecordError, RunStore, UnreadableRun, read_snapshot

    with refusals():
        records = RunStore(home).records()
    for directory, record in records:
        if isinstance(record, UnreadableRun):
            yield record
            continue
        try:
            yield read_snapshot(directory)
        except RecordError as error:
            yield UnreadableRun(directory.id, str(directory.path), str(error))


def _environment(settings: Settings, environ: Mapping[str, str]) -> Environment:
    from lightning_tui.environment import inspect_environment

    return inspect_environment(environ, runs_home=settings.runs_home, folder=Path.cwd())


def _software(interpreter: Path) -> Software:
    from lightning_tui.environment import probe_software

    return probe_software(interpreter)


class _Sampler:
    """Looks at GPUs and host; a driver that hangs holds nobody up longer than for the first look."""

    def __init__(self) -> None:
        self._sources: tuple[GpuSampler, HostReader] | None = None

    def __call__(self) -> Hardware:
        from lightning_tui.gpus import GpuSampler, HostReader

        if self._sources is None:
            self._sources = (GpuSampler(), HostReader())
        gpus, host = self._sources
        reading = gpus.latest(patience_s=_FIRST_LOOK_S)
        return Hardware(gpus=reading.gpus, gpus_missing=reading.missing, host=host.read())
