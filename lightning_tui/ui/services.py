"""What the cockpit asks of the rest of the house, as plain callables: the real ones here, fakes in tests.

Each is called in a thread, never on the event loop; the first call imports the rest of the house.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from lightning_tui.environment import Environment, Software
    from lightning_tui.gpus import GpuReader, HostReader
    from lightning_tui.plan.catalog import Choice
    from lightning_tui.plan.model import Plan
    from lightning_tui.record import GpuSample, HostSample, RunDirectory, RunSnapshot, UnreadableRun
    from lightning_tui.settings import Settings


P = ParamSpec("P")
T = TypeVar("T")

EXAMPLE = ["demo"]

_LOADING = threading.Lock()

_RECENT_RUNS = 50


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


@dataclass(frozen=True)
class ProgramChoice:
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
    checkpoint: Callable[[RunDirectory], None]
    """Ask for a checkpoint; the run's snapshots tell the answer."""
    last_program: Callable[[], Sequence[str]]
    """What to offer where no program was named; may be empty."""
    runs: Callable[[], Iterator[RunSnapshot | UnreadableRun]]
    delete: Callable[[RunDirectory], None]
    environment: Callable[[], Environment]
    software: Callable[[Path], Software]
    hardware: Callable[[], Hardware]
    choices: Callable[[str, Environment | None], list[Choice]]
    """Choices for a plan field, by its name; empty where any value may be typed."""
    clock: Callable[[], float] = time.time


def real_services(settings: Settings, environ: Mapping[str, str]) -> Services:
    """The services of a real cockpit. Imports and touches nothing yet."""
    return Services(
        open_run=_after_loading(_open_run),
        start=_after_loading(partial(_start, settings, environ)),
        stop=_after_loading(partial(_stop, settings.stop_patience_s)),
        kill=_after_loading(_kill),
        checkpoint=_after_loading(_checkpoint),
        last_program=_after_loading(partial(_last_program, settings.runs_home, Path.cwd())),
        runs=_after_loading(partial(_runs, settings.runs_home)),
        delete=_after_loading(partial(_delete, settings.runs_home)),
        environment=_after_loading(partial(_environment, settings, environ)),
        software=_after_loading(_software),
        hardware=_after_loading(_Sampler()),
        choices=_after_loading(_choices),
    )


def _after_loading(service: Callable[P, T]) -> Callable[P, T]:
    """The service, with the modules that it needs imported first.

    One thread at a time: where one imports a package while another imports a module of it, Python breaks the
    deadlock by handing out a half-made module.
    """

    def call(*arguments: P.args, **named: P.kwargs) -> T:
        with _LOADING:
            import lightning_tui.environment
            import lightning_tui.gpus
            import lightning_tui.launch
            import lightning_tui.plan.checks  # noqa: F401
        return service(*arguments, **named)

    return call


def _open_run(directory: RunDirectory) -> Reader:
    from lightning_tui.record import RunReader

    with _refusals():
        return RunReader(directory)


def _start(settings: Settings, environ: Mapping[str, str], choice: ProgramChoice, plan: Plan) -> RunDirectory:
    from lightning_tui.launch import resolve_program, start_run
    from lightning_tui.plan import check_plan, machine_facts
    from lightning_tui.record import RunStore

    with _refusals():
        program = resolve_program(
            list(choice.given),
            interpreter=choice.interpreter,
            interpreter_is_given=choice.interpreter_is_given,
            folder=choice.folder,
            environ=environ,
        )
        if plan.changes():
            facts = machine_facts(_environment(settings, environ))
            check_plan(plan, facts=facts, interpreter=program.interpreter)
        return start_run(
            RunStore(settings.runs_home),
            program,
            plan.changes(),
            environ=environ,
            stop_patience_s=settings.stop_patience_s,
        )


def _stop(patience_s: float, directory: RunDirectory) -> None:
    from lightning_tui.launch import request_stop

    with _refusals():
        request_stop(directory, stop_patience_s=patience_s)


def _kill(directory: RunDirectory) -> None:
    from lightning_tui.launch import request_kill

    with _refusals():
        request_kill(directory)


def _checkpoint(directory: RunDirectory) -> None:
    from lightning_tui.launch import request_checkpoint

    with _refusals():
        request_checkpoint(directory)


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn the errors of the house into refusals."""
    from lightning_tui.launch import LaunchError, ProgramError
    from lightning_tui.plan.model import PlanError
    from lightning_tui.record import RecordError

    try:
        yield
    except (PlanError, ProgramError, LaunchError, RecordError) as error:
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

    with _refusals():
        records = RunStore(home).records()
    for directory, record in records:
        if isinstance(record, UnreadableRun):
            yield record
            continue
        try:
            yield read_snapshot(directory)
        except RecordError as error:
            yield UnreadableRun(directory.id, str(directory.path), str(error))


def _delete(home: Path, directory: RunDirectory) -> None:
    from lightning_tui.record import RunStore

    with _refusals():
        RunStore(home).delete(directory)


def _environment(settings: Settings, environ: Mapping[str, str]) -> Environment:
    from lightning_tui.environment import inspect_environment

    return inspect_environment(environ, runs_home=settings.runs_home, folder=Path.cwd())


def _software(interpreter: Path) -> Software:
    from lightning_tui.environment import probe_software

    return probe_software(interpreter)


def _choices(field: str, environment: Environment | None) -> list[Choice]:
    from lightning_tui.plan.catalog import Choice, MachineFacts, machine_facts, precision_choices, strategy_choices
    from lightning_tui.plan.model import ACCELERATORS

    facts = machine_facts(environment) if environment is not None else MachineFacts()
    if field == "strategy":
        return strategy_choices(facts)
    if field == "precision":
        return precision_choices(facts)
    if field == "devices":
        kind = "GPU" if facts.gpus else "process"
        several = "GPUs" if facts.gpus else "processes on the CPU"
        most = min(facts.gpus or facts.cpus or 1, 8)
        counted = [Choice(str(n), True, f"{n} {kind if n == 1 else several}") for n in range(1, most + 1)]
        return [Choice("auto", True, "all GPUs; one process where there is none"), *counted]
    if field == "accelerator":
        return [Choice(name, True, "") for name in ACCELERATORS]
    return []


class _Sampler:
    """Looks at GPUs and host; keeps the driver's session open between looks."""

    def __init__(self) -> None:
        self._readers: tuple[GpuReader, HostReader] | None = None

    def __call__(self) -> Hardware:
        from lightning_tui.gpus import GpuReader, HostReader

        if self._readers is None:
            self._readers = (GpuReader(), HostReader())
        gpus, host = self._readers
        return Hardware(gpus=gpus.read(), gpus_missing=gpus.missing, host=host.read())
