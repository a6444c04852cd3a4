"""Scenes for tests and pictures: invented runs, machines and logs, told by fakes; the clock stands still."""

from __future__ import annotations

import math
import random
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from lightning_tui.diagnosis import Conduct, Evidence, Output, Raised
from lightning_tui.environment import Environment, Host, Place, Platform, Software, Storage
from lightning_tui.environment import Evidence as PlatformEvidence
from lightning_tui.environment.findings import find_problems
from lightning_tui.plan.facts import machine_facts
from lightning_tui.plan.model import Plan
from lightning_tui.plan.probe import BlockFacts, Measurement, ProgramProbe
from lightning_tui.plan.recommended import Recommendation, recommend
from lightning_tui.plan.saved import SavedPlan
from lightning_tui.plan.tuning import BatchSizeResult, LearningRateResult
from lightning_tui.record import (
    Failure,
    GpuHistory,
    GpuKey,
    GpuProcess,
    GpuSample,
    HostSample,
    NodeView,
    ProgramRecord,
    ProgressView,
    RankView,
    RunDirectory,
    RunRecord,
    RunSnapshot,
    RunState,
    Series,
)
from lightning_tui.record.checkpoints import Checkpoint
from lightning_tui.record.events import CheckpointSaved, Ended, Stopping, SupervisorStarted, TrainerField, TrainerSeen
from lightning_tui.record.series import Timeline
from lightning_tui.record.standstill import Standstill
from lightning_tui.settings import Settings
from lightning_tui.ui import CockpitOptions
from lightning_tui.ui.advice.actions import RunAdvice
from lightning_tui.ui.app import CockpitApp
from lightning_tui.ui.drawing.rows import Row
from lightning_tui.ui.failure.findings import Findings, Fix, trouble_of
from lightning_tui.ui.failure_services import FailureServices, findings_of
from lightning_tui.ui.plan_services import (
    FieldChoices,
    Judgement,
    PlanCase,
    PlanServices,
    exports,
    field_choices,
    judged,
)
from lightning_tui.ui.runs.lines import RunLine
from lightning_tui.ui.services import Hardware, ProgramChoice, RefusalError, Services
from lightning_tui.ui.tuning.thread import Search
from tests.ui import run_scenes

StructT = TypeVar("StructT", bound=msgspec.Struct)

NOW = 1_790_000_751.0
STARTED = 1_790_000_000.0
GIB = 1 << 30


PLAN = Plan(strategy="ddp", precision="bf16-mixed", accumulate_grad_batches=4)


def replace_struct(value: StructT, **changes: object) -> StructT:
    """A frozen struct with other values."""
    return msgspec.structs.replace(value, **changes)


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
    lines: tuple[RunLine, ...] | None = None
    """What the runs screen lists, in place of `runs`."""
    mark: int = 0
    """Counted up by a test when it makes or takes away one of the `lines`."""
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
    search: Search | None = None
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
            found = field_choices(name, case, self.probe, self.registered if is_patient else ())
            return replace(found, is_complete=is_patient or not self.registered or name != "strategy")

        def measure(case: PlanCase, is_cancelled: Callable[[], bool]) -> Judgement:
            self.asked.append(("measure", case.program.given if case.program is not None else ()))
            while self.holds_measuring and not is_cancelled():
                time.sleep(0.01)
            if is_cancelled() or self.measured is None:
                raise RefusalError("The program ended before its fit: there is no module named numpyy.")
            self.probe = self.measured
            return judged(case, self.probe)

        def save(case: PlanCase, name: str) -> Path:
            path = Path(f"/home/ada/runs/.plans/{name}.toml")
            self.saved[name] = SavedPlan(name=name, path=path, plan=case.plan, saved_at=NOW - 90)
            return path

        def recommendation(case: PlanCase) -> Recommendation:
            assert case.environment is not None
            return recommend(machine_facts(case.environment), case.environment, self.probe)

        return PlanServices(
            choices=choices,
            judge=lambda case: judged(case, self.probe),
            recommend=recommendation,
            measure=measure,
            saved=lambda case: [self.saved[name] for name in sorted(self.saved)],
            save=save,
            delete=lambda case, name: self.asked.append(("delete plan", self.saved.pop(name).name)),
            exports=exports,
            write=lambda path, text: self.written.append((path, text)),
        )

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


NO_DRIVER = "the NVIDIA driver library is not installed"


def cpu_software() -> Software:
    return Software(
        interpreter="/usr/bin/python", python="3.11.7", torch="2.13.0+cpu", torch_build="cpu", lightning="2.6.6"
    )


def idle_host() -> HostSample:
    return HostSample(cpu_count=8, cpu_percent=12.0, memory_used=6 * GIB, memory_total=32 * GIB)


def busy_host() -> HostSample:
    return replace_struct(
        idle_host(), cpu_percent=61.0, run_cpu_percent=390.0, run_memory=5 * GIB, run_processes=3, memory_used=11 * GIB
    )


def local_machine() -> Environment:
    place = Place(
        path="/home/ada/work",
        exists=True,
        writable=True,
        free=412 * GIB,
        total=900 * GIB,
        file_system="ext4",
        medium="local",
    )
    return Environment(
        platform=Platform(family="other", kind="local", label="local machine", facets=("ssh", "tmux")),
        host=Host(hostname="lab-7", system="Debian 12", cpus=8, memory_total=32 * GIB),
        storage=Storage(runs_home=place, folder=place),
    )


def studio() -> Environment:
    machine = local_machine()
    machine = replace_struct(
        machine,
        host=replace_struct(machine.host, shared_memory_total=64 << 20, shared_memory_free=64 << 20),
        platform=Platform(
            family="lightning_cloud",
            kind="studio",
            label="Lightning Studio",
            evidence=(PlatformEvidence("LIGHTNING_CLOUD_SPACE_ID", "set"),),
        ),
        gpus=tuple(replace_struct(gpu, processes=()) for gpu in four_gpus()),
    )
    return replace_struct(machine, findings=find_problems(machine))


def l40s(index: int, used: float, load: float, heat: float, power: float) -> GpuSample:
    return GpuSample(
        index=index,
        uuid=f"GPU-{index}",
        name="NVIDIA L40S",
        compute_capability="8.9",
        memory_used=int(used * GIB),
        memory_total=45 * GIB,
        utilization=load,
        temperature=heat,
        power=power,
        power_limit=350.0,
        processes=(),
    )


def in_use(gpu: GpuSample, pid: int, others: float = 0.0) -> GpuSample:
    """The reading while one rank of the run, and `others` GiB of somebody else, are on the GPU."""
    theirs = int(others * GIB)
    ours = GpuProcess(pid=pid, memory=(gpu.memory_used or 0) - theirs, ours=True, owner="ada", name="python")
    stranger = GpuProcess(pid=40217, memory=theirs, owner="bob", name="python3")
    return replace_struct(
        gpu,
        processes=(ours, stranger) if theirs else (ours,),
        clock=2310.0,
        clock_limit=2520.0,
        throttled=("power cap",) if (gpu.power or 0) > 285 else (),
        ecc_errors=0,
    )


def history_of(gpu: GpuSample, seed: int, points: int = 600) -> GpuHistory:
    """Ten invented minutes before the reading; a minute of them is not known."""
    chance = random.Random(seed)
    load = gpu.utilization or 0.0
    used = gpu.memory_used or 0
    loads = [
        min(100.0, max(0.0, load + chance.gauss(0, 3) - (45 if second % 150 < 12 else 0))) for second in range(points)
    ]
    memory = [int(used * min(1.0, 0.4 + second / 60)) for second in range(points)]
    unknown = range(200, 260)
    return GpuHistory(
        utilization=tuple(
            None if second in unknown or gpu.utilization is None else value for second, value in enumerate(loads)
        ),
        memory_used=tuple(None if second in unknown else value for second, value in enumerate(memory)),
    )


def histories(nodes: tuple[NodeView, ...]) -> dict[GpuKey, GpuHistory]:
    return {
        (node.name, gpu.index, gpu.mig): history_of(gpu, 100 * number + gpu.index)
        for number, node in enumerate(nodes)
        for gpu in node.gpus
    }


def four_gpus() -> tuple[GpuSample, ...]:
    return (
        in_use(l40s(0, 31.0, 98, 71, 289), 11, others=2.9),
        in_use(l40s(1, 29.2, 97, 69, 281), 12),
        in_use(l40s(2, 29.2, 41, 66, 214), 13),
        in_use(l40s(3, 29.7, 98, 86, 286), 14),
    )


def gpt_probe() -> ProgramProbe:
    """What looking into an invented GPT of 124 million parameters would find."""
    state = 124_439_808 * 4

    def step(precision: str, batch_size: int, recomputes: bool) -> Measurement:
        of_batch = int(batch_size / 32 * (27.1 if precision == "32-true" else 15.4) * GIB * (0.24 if recomputes else 1))
        return Measurement(
            precision=precision, batch_size=batch_size, peak=of_batch * 5 // 4 + 4 * state, parameters=state,
            gradients=state, optimizer=2 * state, activations=of_batch, temporary=of_batch // 6, update=state // 4,
            activation_checkpointing=recomputes,
        )  # fmt: skip

    return ProgramProbe(
        parameters=124_439_808,
        trainable=124_439_808,
        parameter_bytes=state,
        buffer_bytes=0,
        dtypes=("float32",),
        blocks=(BlockFacts(kind="Block", path="model.Block", count=12, parameters=7_087_872),),
        optimizer="AdamW",
        optimizer_bytes_per_parameter=8.0,
        batch_size=32,
        trainer={"max_epochs": 10, "gradient_clip_val": 1.0},
        measurements=tuple(
            step(precision, batch_size, recomputes)
            for precision in ("32-true", "bf16-mixed")
            for batch_size in (32, 64)
            for recomputes in (False, True)
        ),
    )


def curves(steps: int = 1204, broken_from: int | None = None) -> Mapping[str, Series]:
    chance = random.Random(7)
    train, val, rate = Series(), Series(), Series()
    for step in range(0, steps, 4):
        value = 1.15 + 3.2 * math.exp(-step / 330) + chance.gauss(0, 0.07)
        train.add(step, math.nan if broken_from is not None and step >= broken_from else value)
        rate.add(step, 3e-4 * max(0.1, 1 - step / 4000))
    for step in range(100, steps, 100):
        val.add(step, 1.24 + 3.0 * math.exp(-step / 340) + chance.gauss(0, 0.012))
    return {"train_loss": train, "val_loss": val, "lr-AdamW": rate}


def trainer(world_size: int) -> TrainerSeen:
    return TrainerSeen(
        seq=1, time=STARTED, flavour="lightning.pytorch", lightning="2.6.6", torch="2.13.0", world_size=world_size,
        parameters=10_800_000,
        fields={
            "strategy": TrainerField("ddp", "auto", "ddp"),
            "precision": TrainerField("bf16-mixed", "32-true", "bf16-mixed"),
            "devices": TrainerField(None, "auto", world_size),
            "max_epochs": TrainerField(None, 10, 10),
            "max_steps": TrainerField(None, -1, -1),
            "accumulate_grad_batches": TrainerField(4, 1, 4),
            "gradient_clip_val": TrainerField(None, 1.0, 1.0),
        },
    )  # fmt: skip


def training(folder: Path, ranks: int = 4, gpus: tuple[GpuSample, ...] | None = None) -> RunSnapshot:
    """A run in its third epoch."""
    gpus = four_gpus() if gpus is None else gpus
    missing = None if gpus else NO_DRIVER
    nodes = (NodeView(name="lab-7", host=busy_host(), gpus=gpus, gpus_missing=missing),)
    return RunSnapshot(
        record=RunRecord(
            id="train-7f3a01",
            created_at=STARTED - 2,
            program=PROGRAM,
            plan={"strategy": "ddp", "precision": "bf16-mixed", "accumulate_grad_batches": 4},
        ),
        directory=str(folder / "train-7f3a01"),
        state=RunState.TRAINING,
        detail="",
        attempt=0,
        supervisor=SupervisorStarted(
            seq=0, time=STARTED, node=0, host="lab-7", pid=10, started_at=STARTED, boot_id=None, attempt=0,
            child_pid=11, child_started_at=STARTED, command=["python"],
        ),
        trainer=trainer(ranks),
        progress=ProgressView(
            stage="train", epoch=2, max_epochs=10, global_step=1204, max_steps=None, batch=204, total_batches=500,
            fraction=0.24, eta_s=2251.0, steps_per_s=24.4, samples_per_s=812.0, step_time_s=0.041, data_wait_s=0.002,
        ),
        metrics=curves(),
        ranks=tuple(
            RankView(
                rank=rank, host="lab-7", pid=11 + rank, state="train", epoch=2, global_step=1204, step_time_s=0.041,
                device=f"cuda:{rank}", device_uuid=f"GPU-{rank}", allocated=int((21.4 + rank / 4) * GIB),
                reserved=27 * GIB, peak_allocated=int((24.6 + rank / 8) * GIB), device_total=45 * GIB,
                data_wait_s=0.002,
            )
            for rank in range(ranks)
        ),
        checkpoints=(
            CheckpointSaved(
                seq=9, time=NOW - 60, path="/r/epoch=1-step=1000.ckpt", epoch=1, global_step=1000,
                size=int(1.42 * GIB), seconds=0.8,
            ),
        ),
        host=busy_host(),
        gpus=gpus,
        gpus_missing=missing,
        nodes=nodes,
        gpu_history=histories(nodes),
        stopping=None,
        commands=(),
        ranks_alive=True,
        failure=None,
        ended=None,
        started_at=STARTED,
        ended_at=None,
        notices=(),
    )  # fmt: skip


PROGRAM = ProgramRecord(
    label="train.py", given=["train.py", "--size", "124M"], folder="/home/ada/work", interpreter="/usr/bin/python"
)


def validating_on_cpu(folder: Path) -> RunSnapshot:
    run = training(folder, ranks=2, gpus=())
    ranks = tuple(
        replace_struct(r, device="cpu", device_uuid=None, allocated=None, reserved=None, state="validate")
        for r in run.ranks
    )
    assert run.progress is not None
    progress = replace_struct(run.progress, stage="validate", batch=12, total_batches=40)
    return replace_struct(run, state=RunState.VALIDATING, ranks=ranks, progress=progress)


TRACEBACK = """Traceback (most recent call last):
  File "/home/ada/work/train.py", line 88, in <module>
    trainer.fit(model, data)
  File "/usr/lib/python3.11/site-packages/lightning/pytorch/trainer/trainer.py", line 560, in fit
    call._call_and_handle_interrupt(
  File "/home/ada/work/train.py", line 41, in training_step
    loss = self.model(batch)
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.11 GiB. GPU 2 has a total capacity of 44.5 GiB.
"""


def evidence_of_scene(run: RunSnapshot) -> Evidence:
    """What the real engine has to go by: the scene's output, its exception, its plan."""
    failure, directory = run.failure, RunDirectory(Path(run.directory))
    told = failure is not None and failure.hook is not None
    assert run.trainer is not None
    return Evidence(
        outputs=tuple(
            Output(path.read_bytes().decode("utf-8", "replace"), rank)
            for rank, path in directory.outputs(run.attempt).items()
        ),
        exceptions=(
            (Raised(type=failure.type, message=failure.message, traceback=failure.traceback, rank=failure.rank),)
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


def with_checkpoint(run: RunSnapshot) -> RunSnapshot:
    """The run with a file where it says that it has saved a checkpoint: a zip file, as torch writes them."""
    path = RunDirectory(Path(run.directory)).checkpoints / "epoch=1-step=1000.ckpt"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"nothing")
    saved = replace_struct(run.checkpoints[0], path=str(path), size=path.stat().st_size)
    return replace_struct(run, checkpoints=(saved,))


def failed(folder: Path) -> RunSnapshot:
    run = with_checkpoint(training(folder))
    failure = Failure(
        rank=2,
        type="torch.OutOfMemoryError",
        message="CUDA out of memory. Tried to allocate 2.11 GiB. GPU 2 has a total capacity of 44.5 GiB.",
        traceback=TRACEBACK,
        hook="train",
    )
    ended = Ended(seq=2, time=NOW - 5, code=1, signal=None, cause="program")
    return replace_struct(
        run, state=RunState.FAILED, detail="rank 2: torch.OutOfMemoryError: CUDA out of memory.", failure=failure,
        ended=ended, ended_at=NOW - 5,
    )  # fmt: skip


def finished(folder: Path) -> RunSnapshot:
    run = training(folder)
    assert run.progress is not None
    progress = replace_struct(run.progress, epoch=10, fraction=1.0, eta_s=None, batch=500)
    ranks = tuple(replace_struct(rank, state="exited") for rank in run.ranks)
    ended = Ended(seq=2, time=NOW - 30, code=0, signal=None, cause="program")
    return replace_struct(run, state=RunState.FINISHED, progress=progress, ranks=ranks, ended=ended, ended_at=NOW - 30)


def lost(folder: Path) -> RunSnapshot:
    detail = "supervisor gone, ranks still training: stop works"
    return replace_struct(training(folder), state=RunState.LOST, detail=detail)


def stopping(folder: Path) -> RunSnapshot:
    rung = Stopping(seq=3, time=NOW - 18, rung="asked", by="ada@lab-7 5", next_rung_at=NOW + 12)
    return replace_struct(training(folder), state=RunState.STOPPING, stopping=rung)


def broken_loss(folder: Path) -> RunSnapshot:
    return replace_struct(training(folder), metrics=curves(broken_from=900))


def many_metrics(folder: Path) -> RunSnapshot:
    """A run that logs losses, accuracies, norms and rates, its validation steps and epoch means apart."""
    chance = random.Random(5)
    run = training(folder)
    known: dict[str, Series] = dict(run.metrics)
    shapes: dict[str, Callable[[float], float]] = {
        "train_loss_epoch": lambda x: 1.2 + 3.0 * math.exp(-x / 360),
        "train_acc": lambda x: 0.86 - 0.7 * math.exp(-x / 420) + chance.gauss(0, 0.012),
        "val_acc": lambda x: 0.83 - 0.68 * math.exp(-x / 400) + chance.gauss(0, 0.004),
        "grad_norm": lambda x: 0.4 + 2.2 * math.exp(-x / 150) + abs(chance.gauss(0, 0.25)),
        "train_aux_loss": lambda x: 4e-3 * math.exp(-x / 180) + 2e-5 + abs(chance.gauss(0, 8e-6)),
        "tokens_per_s": lambda x: 41_200 + chance.gauss(0, 900) - (9000 if 600 < x < 640 else 0),
    }
    for name, shape in shapes.items():
        every = 100 if name.startswith("val") or name.endswith("_epoch") else 4
        series = known[name] = Series()
        for step in range(every, 1204, every):
            series.add(step, shape(step))
    return replace_struct(run, metrics=known, timeline=timeline())


def timeline(steps: int = 1204, per_epoch: int = 500, step_s: float = 0.6) -> Timeline:
    """Epochs and times of an invented run."""
    found = Timeline()
    for step in range(0, steps + 1, 4):
        found.add(step, step / per_epoch, STARTED + 14 + step * step_s)
    return found


def stalled(folder: Path) -> RunSnapshot:
    """No batch has come for minutes; one rank waits for its data."""
    run = training(folder)
    assert run.progress is not None
    progress = replace_struct(run.progress, stalled_s=184.0, usual_s=1.2)
    ranks = (*run.ranks[:2], replace_struct(run.ranks[2], data_wait_s=0.019), run.ranks[3])
    still = Standstill(
        kind="silent", rank=0, stage="train", global_step=progress.global_step, silent_s=184.0, limit_s=10.0,
        words=f"no step for 3 min, in training at step {progress.global_step}",
    )  # fmt: skip
    return replace_struct(run, progress=progress, ranks=ranks, attempt=2, standstill=still)


def earlier_runs(folder: Path) -> tuple[RunSnapshot, ...]:
    """Runs of the same program before this one, one of them without any metric."""
    runs = []
    for number, factor in enumerate((1.12, 0.93)):
        series = {}
        for name, original in curves().items():
            scaled = series[name] = Series()
            bins = original.bins()
            for step, value in zip(bins.steps, bins.low, strict=True):
                scaled.add(int(step), value * (factor if name.endswith("loss") else 1.0))
        run = finished(folder / f"earlier-{number}")
        record = replace_struct(
            run.record, id=f"train-{'b81c02' if number else '19e4d7'}", created_at=NOW - 7200 * (number + 1)
        )
        runs.append(
            replace_struct(run, record=record, directory=str(folder / record.id), metrics=series, timeline=timeline())
        )
    silent = replace_struct(runs[0], metrics={}, directory=str(folder / "silent"))
    return (*runs, silent)


def eight_gpus(folder: Path) -> RunSnapshot:
    """Eight GPUs: one shared with somebody, one that throttles, one that waits, one with memory errors."""
    gpus = [in_use(l40s(i, 29.0 + i / 10, 92 + i % 5, 62 + i, 270 + 2 * i), 11 + i) for i in range(8)]
    gpus[1] = in_use(l40s(1, 41.6, 97, 66, 281), 12, others=12.4)
    gpus[3] = replace_struct(in_use(l40s(3, 29.4, 91, 93, 241), 14), throttled=("heat",), clock=1410.0)
    gpus[5] = in_use(l40s(5, 29.1, 38, 58, 166), 16)
    gpus[6] = replace_struct(gpus[6], ecc_errors=2)
    run = training(folder, ranks=8, gpus=tuple(gpus))
    slow = replace_struct(run.ranks[5], step_time_s=0.063)
    return replace_struct(run, ranks=(*run.ranks[:5], slow, *run.ranks[6:]))


def cluster(folder: Path, nodes: int = 8, per_node: int = 8, ranks: int | None = None) -> RunSnapshot:
    """Many nodes with GPUs; where there are eight nodes or more, some of the GPUs are lost, hot, full, or silent."""
    chance = random.Random(3)
    views = []
    for node in range(nodes):
        gpus = []
        for index in range(per_node):
            used = 66 + chance.gauss(0, 2)
            gpu = replace_struct(
                l40s(index, used, min(100, chance.gauss(95, 3)), chance.gauss(63, 3), chance.gauss(610, 25)),
                uuid=f"GPU-{node * per_node + index}", name="NVIDIA H100 80GB HBM3", memory_total=80 * GIB,
                power_limit=700.0,
            )  # fmt: skip
            gpus.append(in_use(gpu, 11 + index))
        views.append(NodeView(name=f"n{node:02d}", host=busy_host(), gpus=tuple(gpus), gpus_missing=None))
    if nodes >= 8:
        _in_trouble(views)
    run = training(folder, ranks=nodes * per_node if ranks is None else ranks, gpus=views[0].gpus)
    told = tuple(
        replace_struct(
            rank, host=views[rank.rank // per_node].name, device=f"cuda:{rank.rank % per_node}",
            allocated=int((52 + rank.rank % 5) * GIB), reserved=64 * GIB, peak_allocated=60 * GIB,
            device_total=80 * GIB,
            step_time_s=0.061 if rank.rank == 13 else 0.041 + rank.rank % 3 / 1000,
        )
        for rank in run.ranks
    )  # fmt: skip
    tree = tuple(views)
    return replace_struct(run, ranks=told, nodes=tree, gpu_history=histories(tree) if nodes <= 8 else {})


def _in_trouble(views: list[NodeView]) -> None:
    """Let some of the GPUs have trouble."""

    def change(node: int, index: int, **changes: object) -> None:
        gpus = list(views[node].gpus)
        gpus[index] = replace_struct(gpus[index], **changes)
        views[node] = replace_struct(views[node], gpus=tuple(gpus))

    lost = replace_struct(
        l40s(4, 0, 0, 0, 0), error="GPU is lost", memory_used=None, utilization=None, temperature=None
    )
    for node in range(2, len(views), 24):
        change(
            node, 4, **{name: getattr(lost, name) for name in ("error", "memory_used", "utilization", "temperature")}
        )
    change(3, 1, temperature=91.0, throttled=("heat",))
    change(5, 3, memory_used=int(77.6 * GIB))
    change(6, 6, ecc_errors=1)
    last = len(views) - 1
    for index in range(len(views[last].gpus)):
        change(last, index, stale_s=12.0)


SLICES = (("1g.5gb", 5, 3.1), ("2g.10gb", 10, 8.2), ("3g.20gb", 20, 1.4))


def sliced(folder: Path) -> RunSnapshot:
    """A GPU in MIG slices, beside one with nothing to tell but its memory."""
    slices = tuple(
        replace_struct(
            l40s(0, used, 0, 0, 0), mig=number, uuid=f"MIG-{number}", name=f"NVIDIA A100-SXM4-40GB MIG {profile}",
            memory_total=total * GIB, utilization=None, temperature=None, power=None, processes=None,
        )
        for number, (profile, total, used) in enumerate(SLICES)
    )  # fmt: skip
    run = training(folder, ranks=1, gpus=slices)
    rank = replace_struct(
        run.ranks[0], device_uuid="MIG-1", allocated=6 * GIB, reserved=7 * GIB, peak_allocated=None, device_total=None
    )
    return replace_struct(run, ranks=(rank,))


def cpu_cluster(folder: Path) -> RunSnapshot:
    """Four nodes without GPUs."""
    run = validating_on_cpu(folder)
    nodes = tuple(
        NodeView(
            name=f"c{node}.cluster.example", host=replace_struct(busy_host(), cpu_percent=61.0 - 9 * node), gpus=(),
            gpus_missing=NO_DRIVER,
        )
        for node in range(4)
    )  # fmt: skip
    return replace_struct(run, nodes=nodes, gpu_history={})


LOG = b"""\x1b[1mGPU available: True (cuda), used: True\x1b[0m
You are using a CUDA device ('NVIDIA L40S') that has Tensor Cores.
  | Name  | Type | Params
--------------------------------
0 | model | GPT  | 10.8 M
epoch 0 step  400  train_loss 2.21  lr 2.9e-4
\rsampling   0%|          | 0/3\rsampling  33%|###       | 1/3\rsampling 100%|##########| 3/3
epoch 0  \x1b[32mval_loss 2.24 (best)\x1b[0m
UserWarning: the DataLoader does not have many workers, which may be a bottleneck.
epoch 1 step  800  train_loss 1.61  lr 2.7e-4
sample: def read(self, size=-1): return self._buf
epoch 1  \x1b[32mval_loss 1.62 (best, was 2.24)\x1b[0m
checkpoint epoch=1-step=1000.ckpt  1.42 GiB  0.8 s
epoch 2 step 1200  train_loss 1.29  lr 2.4e-4
"""


def write_logs(run: RunSnapshot) -> None:
    """Put output files where the run's ranks would have them."""
    output = RunDirectory(Path(run.directory)).output(0, 0).parent
    output.mkdir(parents=True, exist_ok=True)
    for rank in run.ranks:
        is_culprit = run.failure is not None and run.failure.rank == rank.rank
        path = output / f"{rank.rank}.log"
        if not path.exists():  # the scene has written no log of its own
            path.write_bytes(LOG + (TRACEBACK.encode() if is_culprit else b""))


CAUGHT = b"""[rank0]: Traceback (most recent call last):
[rank0]:   File "/home/ada/gpt/train.py", line 212, in upload
[rank0]:     client.put(path, timeout=5)
[rank0]:   File "/home/ada/gpt/client.py", line 31, in put
[rank0]:     raise UploadError(path)
[rank0]: client.UploadError: no answer from the store within 5 s
"""
"""An exception that the program caught and told of."""


def long_log(folder: Path) -> RunSnapshot:
    """Four ranks that have written much: bars, colours, warnings, a caught exception, wide characters, long lines."""
    run = training(folder)
    directory = RunDirectory(Path(run.directory))
    directory.output(0, 0).parent.mkdir(parents=True, exist_ok=True)
    directory.supervisor.mkdir(parents=True, exist_ok=True)
    logs = {rank: LOG if rank == 0 else b"rank %d is ready\n" % rank for rank in range(4)}
    samples = []
    for second in range(600):
        loss = 3.1 * math.exp(-second / 300) + 0.2
        logs[0] += b"step %5d  train_loss %.3f  lr 2.4e-4  tokens/s %d\n" % (second * 8, loss, 81_204 + second % 7)
        if second % 50 == 20:
            logs[0] += b"\r  0%|          | 0/50\r 50%|#####     | 25/50\r100%|##########| 50/50 [00:04<00:00]\n"
            logs[0] += b"\x1b[32mval_loss %.3f (best)\x1b[0m  \xe8\xaa\x9e\xe5\xbd\x99\tpart\tshare\n" % loss
        if second % 100 == 77:
            logs[2] += b"UserWarning: the loss of batch %d is nan; the step was skipped\n" % second
        if second == 571:
            logs[0] += CAUGHT
        samples.append({"event": "sample", "seq": second, "time": STARTED + second, "host": {}, "gpus": []})
        samples[-1]["output_bytes"] = {str(rank): len(text) for rank, text in logs.items()}
    for rank, text in logs.items():
        directory.output(0, rank).write_bytes(text)
    directory.supervisor_log(0).write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in samples))
    return run


def options(folder: Path, run: RunSnapshot | None = None, **changes: Any) -> CockpitOptions:
    chosen = CockpitOptions(
        settings=Settings(runs_home=Path("/home/ada/runs"), runs_home_reason="user state folder"),
        given=["train.py", "--size", "124M"],
        interpreter=Path("/usr/bin/python"),
        interpreter_is_given=False,
        plan=PLAN if run is not None else Plan(),
        attach=RunDirectory(Path(run.directory)) if run is not None else None,
        start_at_once=False,
        environ={},
    )
    return replace(chosen, **changes)


def cockpit(folder: Path, run: RunSnapshot | None, outside: FakeOutside | None = None, **changes: Any) -> CockpitApp:
    """A cockpit on a scene."""
    outside = outside or FakeOutside()
    outside.snapshot = run
    if run is not None:
        write_logs(run)
        if run.gpus:
            outside.environment = studio()
            outside.software = replace_struct(cpu_software(), torch="2.13.0+cu130", torch_build="cu130")
            outside.hardware = Hardware(run.gpus, None, idle_host())
    return CockpitApp(options(folder, run, **changes), outside.services())


def on_gpus(measured: bool = True) -> FakeOutside:
    """Four idle GPUs; the program was measured before, or never."""
    software = replace_struct(cpu_software(), torch="2.13.0+cu130", torch_build="cu130")
    idle = tuple(l40s(index, 0.6, 0, 34 + index, 61) for index in range(4))
    return FakeOutside(
        hardware=Hardware(idle, None, idle_host()),
        environment=studio(),
        software=software,
        probe=gpt_probe() if measured else None,
    )


async def settle(app: CockpitApp, pilot: Any) -> None:
    """Wait until all that the threads have to say is on the screen."""
    deadline = time.monotonic() + 20
    cockpit_screen = app.cockpit
    while time.monotonic() < deadline:
        await pilot.pause(0.02)
        view = cockpit_screen.view
        follower = cockpit_screen._follower
        output = follower.output if follower is not None else None
        has_log = follower is None or (output is not None and output.log is cockpit_screen._log._log)
        has_told = view.environment and view.software and view.hardware and view.judgement
        if has_told and has_log and not view.is_opening and not cockpit_screen._failures.is_waiting:
            await pilot.pause()
            return
    raise AssertionError("the cockpit did not settle")


def text_of(row: Row) -> str:
    """The row's text alone."""
    return "".join(text for text, _ in row)
