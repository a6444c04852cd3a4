"""The outside of a cockpit for tests and pictures: fakes that tell a scene and remember what was asked of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lightning_tui.diagnosis import Conduct, Evidence, OutputTail, ReportedException
from lightning_tui.environment import Environment, Software
from lightning_tui.plan.model import Plan
from lightning_tui.plan.probe import ProgramProbe
from lightning_tui.plan.saved import SavedPlan
from lightning_tui.plan.tuning import BatchSizeResult, LearningRateResult
from lightning_tui.record import (
    RunDirectory,
    RunSnapshot,
)
from lightning_tui.record.checkpoints import Checkpoint
from lightning_tui.refusal import RefusalError
from lightning_tui.services.cases import FieldChoices, Judgement, PlanCase
from lightning_tui.services.estimating import Measured
from lightning_tui.services.explaining import findings_of
from lightning_tui.services.findings import Findings, Fix, trouble_of
from lightning_tui.services.machine import Hardware
from lightning_tui.services.plans import exports, field_choices, judge, recommend
from lightning_tui.services.programs import ProgramChoice
from lightning_tui.services.runs import ListedRun
from lightning_tui.ui.services import FailureServices, PlanServices, RunAdvice, Services, TuningSearch
from tests.ui import run_scenes
from tests.ui.machines import (
    NO_DRIVER,
    NOW,
    cpu_software,
    idle_host,
    local_machine,
    replace_struct,
)


class FakeReader:
    """Says the same snapshot for ever; a test may put another one in its place."""

    def __init__(self, snapshot: RunSnapshot) -> None:
        self.now = snapshot
        self.trouble: Exception | None = None

    def poll(self) -> bool:
        if self.trouble is not None:
            raise self.trouble
        return False

    def snapshot(self) -> RunSnapshot:
        return self.now


@dataclass
class FakeOutside:
    """The outside of a cockpit: remembers what was asked of it."""

    snapshot: RunSnapshot | None = None
    hardware: Hardware = field(default_factory=lambda: Hardware((), NO_DRIVER, idle_host()))
    environment: Environment = field(default_factory=lambda: local_machine())
    software: Software = field(default_factory=lambda: cpu_software())
    runs: tuple[RunSnapshot, ...] = ()
    listed: tuple[ListedRun, ...] | None = None
    """What the runs screen lists, in place of `runs`."""
    mark: int = 0
    """Counted up by a test when it makes or takes away one of them."""
    checkpoints: tuple[Checkpoint, ...] = ()
    """Those of every run, as the runs screen tells them."""
    last_program: tuple[str, ...] = ()
    refusal: str | None = None
    choices: tuple[Any, ...] | None = None
    """Choices of every field, in place of those that the catalog knows."""
    registered: tuple[str, ...] = ()
    """Strategies of the program's own Lightning, told when it is asked patiently."""
    probe: ProgramProbe | None = None
    """What is known of the program."""
    measured: ProgramProbe | None = None
    """What measuring it finds; without it the program cannot be measured."""
    holds_measuring: bool = False
    written: list[tuple[Path, str]] = field(default_factory=list)
    saved: dict[str, SavedPlan] = field(default_factory=dict)
    asked: list[tuple[str, object]] = field(default_factory=list)
    search: TuningSearch | None = None
    """A fake of the search that tunes."""
    reader: FakeReader | None = None
    findings: Findings | None = None
    """What is found of a run in trouble; `None`: what the real engine finds in the scene."""
    advice: RunAdvice | None = None
    """Advises on every run; `None`: nobody does."""
    may_explain: threading.Event | None = None
    """Set when the explanation may come."""
    child: RunSnapshot | None = None
    """What a relaunch starts."""

    def services(self) -> Services:
        return Services(
            open_run=self._open,
            start=self._start,
            stop=lambda directory: self.asked.append(("stop", directory.path)),
            kill=lambda directory: self.asked.append(("kill", directory.path)),
            adopt=lambda directory: self.asked.append(("adopt", directory.path)),
            tell=lambda directory, op, what: self.asked.append((op, dict(what) or directory.path)),
            last_program=lambda: self.last_program,
            runs=self._runs,
            all_runs=lambda: run_scenes.run_services(self),
            environment=lambda: self.environment,
            software=lambda interpreter: self.software,
            hardware=lambda: self.hardware,
            plans=self._plans(),
            failures=FailureServices(explain=self._explain, relaunch=self._relaunch),
            tune=self.search or _no_search,
            clock=lambda: NOW,
            advise=self._advise if self.advice is not None else None,
        )

    def _plans(self) -> PlanServices:
        """The real rules on an invented machine and an invented model; files and processes are fakes."""

        def choices(name: str, case: PlanCase, is_patient: bool) -> FieldChoices:
            if self.choices is not None:
                return FieldChoices(self.choices)
            found = field_choices(name, case, self._measured(), self.registered if is_patient else ())
            return replace(found, is_complete=is_patient or not self.registered or name != "strategy")

        def measure(case: PlanCase, is_cancelled: Callable[[], bool]) -> Judgement:
            self.asked.append(("measure", case.program.given if case.program is not None else ()))
            while self.holds_measuring and not is_cancelled():
                time.sleep(0.01)
            if is_cancelled() or self.measured is None:
                raise RefusalError("The program ended before its fit: there is no module named numpyy.")
            self.probe = self.measured
            return judge(case, self._measured())

        def save(case: PlanCase, name: str) -> Path:
            path = Path(f"/home/ada/runs/.plans/{name}.toml")
            self.saved[name] = SavedPlan(name=name, path=path, plan=case.plan, saved_at=NOW - 90)
            return path

        return PlanServices(
            choices=choices,
            judge=lambda case: judge(case, self._measured()),
            recommend=lambda case: recommend(case, self._measured()),
            measure=measure,
            saved=lambda case: [self.saved[name] for name in sorted(self.saved)],
            save=save,
            delete=lambda case, name: self.asked.append(("delete plan", self.saved.pop(name).name)),
            exports=exports,
            write=lambda path, text: self.written.append((path, text)),
        )

    def _measured(self) -> Measured | None:
        return Measured(self.probe) if self.probe is not None else None

    def _advise(self, directory: RunDirectory) -> RunAdvice:
        assert self.advice is not None
        return self.advice

    def _open(self, directory: RunDirectory) -> FakeReader:
        assert self.snapshot is not None
        self.reader = FakeReader(self.snapshot)
        return self.reader

    def _start(self, program: ProgramChoice, plan: Plan) -> RunDirectory:
        if self.refusal is not None:
            raise RefusalError(self.refusal)
        self.asked.append(("start", (program.given, plan.changes())))
        assert self.snapshot is not None
        return RunDirectory(Path(self.snapshot.directory))

    def _runs(self) -> Iterator[RunSnapshot]:
        yield from self.runs

    def _explain(self, run: RunSnapshot, environment: Environment | None, may_write: bool) -> Findings:
        """What the scene says was found; the real engine on the scene's files where it says nothing."""
        trouble = trouble_of(run)
        assert trouble is not None
        self.asked.append(("explain", trouble.kind))
        if self.may_explain is not None:
            self.may_explain.wait(20)
        if self.findings is not None:
            return replace_struct(self.findings, trouble=trouble)
        return findings_of(trouble, evidence_of_scene(run), run, environment)

    def _relaunch(self, directory: RunDirectory, fix: Fix) -> RunDirectory:
        if self.refusal is not None:
            raise RefusalError(self.refusal)
        self.asked.append(("relaunch", (directory.path, dict(fix.changes), fix.beginning.checkpoint)))
        assert self.child is not None
        self.snapshot = self.child
        return RunDirectory(Path(self.child.directory))


def _no_search(*asked: Any, **named: Any) -> BatchSizeResult | LearningRateResult:
    raise RefusalError("This scene has no search.")


def evidence_of_scene(run: RunSnapshot) -> Evidence:
    """What the real engine has to go by: the scene's output, its exception, its plan."""
    failure, directory = run.failure, RunDirectory(Path(run.directory))
    told = failure is not None and failure.hook is not None
    assert run.trainer is not None
    return Evidence(
        outputs=tuple(
            OutputTail(path.read_bytes().decode("utf-8", "replace"), rank)
            for rank, path in directory.outputs(run.attempt).items()
        ),
        exceptions=(
            (
                ReportedException(
                    type=failure.type, message=failure.message, traceback=failure.traceback, rank=failure.rank
                ),
            )
            if failure is not None and told
            else ()
        ),
        exit_code=run.ended.code if run.ended is not None else None,
        signal=run.ended.signal if run.ended is not None else None,
        plan=run.record.plan,
        actual={name: field.actual for name, field in run.trainer.fields.items()},
        batch_size=32,
        world_size=len(run.ranks),
        gpus=run.gpus,
        host=run.host,
        conduct=Conduct(silent_s=run.progress.stalled_s if run.progress is not None else None, step_time_s=0.041),
    )
