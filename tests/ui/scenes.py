"""Scenes for tests and pictures: invented runs, machines and logs, told by fakes; the clock stands still."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from lightning_tui.environment import Environment, Evidence, Host, Place, Platform, Software, Storage
from lightning_tui.environment.findings import find_problems
from lightning_tui.plan.model import Plan
from lightning_tui.record import (
    Failure,
    GpuSample,
    HostSample,
    ProgramRecord,
    ProgressView,
    RankView,
    RunDirectory,
    RunRecord,
    RunSnapshot,
    RunState,
    Series,
)
from lightning_tui.record.events import CheckpointSaved, Ended, Stopping, SupervisorStarted, TrainerField, TrainerSeen
from lightning_tui.settings import Settings
from lightning_tui.ui import CockpitOptions
from lightning_tui.ui.app import CockpitApp
from lightning_tui.ui.rows import Row
from lightning_tui.ui.services import Hardware, ProgramChoice, RefusalError, Services

StructT = TypeVar("StructT", bound=msgspec.Struct)

NOW = 1_790_000_751.0
STARTED = 1_790_000_000.0
GIB = 1 << 30


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
    last_program: tuple[str, ...] = ()
    refusal: str | None = None
    choices: tuple[Any, ...] = ()
    asked: list[tuple[str, object]] = field(default_factory=list)
    reader: FakeReader | None = None

    def services(self) -> Services:
        return Services(
            open_run=self._open,
            start=self._start,
            stop=lambda directory: self.asked.append(("stop", directory.path)),
            kill=lambda directory: self.asked.append(("kill", directory.path)),
            checkpoint=lambda directory: self.asked.append(("checkpoint", directory.path)),
            last_program=lambda: self.last_program,
            runs=self._runs,
            delete=lambda directory: self.asked.append(("delete", directory.path)),
            environment=lambda: self.environment,
            software=lambda interpreter: self.software,
            hardware=lambda: self.hardware,
            choices=lambda field, environment: list(self.choices),
            clock=lambda: NOW,
        )

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
            evidence=(Evidence("LIGHTNING_CLOUD_SPACE_ID", "set"),),
        ),
        gpus=four_gpus(),
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


def four_gpus() -> tuple[GpuSample, ...]:
    return (
        l40s(0, 31.0, 98, 71, 289),
        l40s(1, 29.2, 97, 69, 281),
        l40s(2, 29.2, 41, 66, 214),
        l40s(3, 29.7, 98, 86, 286),
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
                device=f"cuda:{rank}", device_uuid=f"GPU-{rank}", allocated=int((21.4 + rank) * GIB), reserved=27 * GIB,
                device_total=45 * GIB,
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
        gpus_missing=None if gpus else NO_DRIVER,
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


def failed(folder: Path) -> RunSnapshot:
    run = training(folder)
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


def eight_gpus(folder: Path) -> RunSnapshot:
    gpus = tuple(l40s(index, 29.0 + index / 10, 90 + index, 60 + index, 280) for index in range(8))
    return training(folder, ranks=8, gpus=gpus)


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
        (output / f"{rank.rank}.log").write_bytes(LOG + (TRACEBACK.encode() if is_culprit else b""))


def options(folder: Path, run: RunSnapshot | None = None, **changes: Any) -> CockpitOptions:
    plan = Plan(strategy="ddp", precision="bf16-mixed", accumulate_grad_batches=4)
    chosen = CockpitOptions(
        settings=Settings(runs_home=Path("/home/ada/runs"), runs_home_reason="user state folder"),
        given=["train.py", "--size", "124M"],
        interpreter=Path("/usr/bin/python"),
        interpreter_is_given=False,
        plan=plan if run is not None else Plan(),
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


async def settle(app: CockpitApp, pilot: Any) -> None:
    """Wait until all that the threads have to say is on the screen."""
    import time

    deadline = time.monotonic() + 20
    cockpit_screen = app.cockpit
    while time.monotonic() < deadline:
        await pilot.pause(0.02)
        view = cockpit_screen.view
        follower = cockpit_screen._follower
        has_log = follower is None or (follower.log is not None and follower.log is cockpit_screen._log._log)
        if view.environment and view.software and view.hardware and has_log and not view.is_opening:
            await pilot.pause()
            return
    raise AssertionError("the cockpit did not settle")


def text_of(row: Row) -> str:
    """The row's text alone."""
    return "".join(text for text, _ in row)
