"""Scenes for tests and pictures: invented runs and their logs, and a cockpit on one of them; the clock stands still."""

from __future__ import annotations

import math
import random
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from lightning_tui.plan.model import Plan
from lightning_tui.record import (
    Failure,
    GpuSample,
    NodeView,
    ProgressView,
    RankView,
    RunDirectory,
    RunRecord,
    RunSnapshot,
    RunState,
    Series,
)
from lightning_tui.record.directory import ProgramRecord
from lightning_tui.record.events import CheckpointSaved, Ended, Stopping, SupervisorStarted, TrainerField, TrainerSeen
from lightning_tui.record.series import Timeline
from lightning_tui.record.standstill import Standstill
from lightning_tui.services.machine import Hardware
from lightning_tui.settings import Settings
from lightning_tui.ui import CockpitOptions
from lightning_tui.ui.app import CockpitApp
from tests.ui import run_scenes
from tests.ui.machines import (
    GIB,
    NO_DRIVER,
    NOW,
    STARTED,
    busy_host,
    cpu_software,
    four_gpus,
    gpt_probe,
    histories,
    idle_host,
    in_use,
    l40s,
    replace_struct,
    studio,
)
from tests.ui.outside import FakeOutside

PLAN = Plan(strategy="ddp", precision="bf16-mixed", accumulate_grad_batches=4)


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


RUNS_HOME = Path("/home/ada/runs")


def options(folder: Path, run: RunSnapshot | None = None, **changes: Any) -> CockpitOptions:
    chosen = CockpitOptions(
        settings=Settings(runs_home=RUNS_HOME, runs_home_reason="user state folder"),
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


def on_runs(**changes: Any) -> FakeOutside:
    """A runs home of a few days."""
    lines, runs = run_scenes.runs_home(RUNS_HOME)
    return FakeOutside(listed=lines, runs=runs, checkpoints=run_scenes.checkpoints(), **changes)


async def settle(app: CockpitApp, pilot: Any) -> None:
    """Wait until all that the threads have to say is on the screen."""
    deadline = time.monotonic() + 20
    cockpit_screen = app.cockpit
    while time.monotonic() < deadline:
        await pilot.pause(0.02)
        view = cockpit_screen.view
        reading, shown = cockpit_screen.features.log.reading, cockpit_screen.parts.log.output
        output = reading.newest if reading is not None else None
        has_log = reading is None or (output is not None and shown is not None and output.log is shown.log)
        has_told = view.environment and view.software and view.hardware and view.judgement
        if has_told and has_log and not view.is_opening and not cockpit_screen.features.failures.is_waiting:
            await pilot.pause()
            return
    raise AssertionError("the cockpit did not settle")
