"""An invented run, told by its events to record's own fold, and looked at as a watcher does: twice a second."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lightning_tui.diagnosis.live import Advice, Adviser, Around
from lightning_tui.record import GpuProcess, HostSample, ProgramRecord, RunRecord, RunSnapshot
from lightning_tui.record.events import (
    CheckpointSaved,
    DeviceMemory,
    Hello,
    Metrics,
    Points,
    Progress,
    Sampled,
    StageChanged,
    SupervisorStarted,
    TrainerField,
    TrainerSeen,
)
from lightning_tui.record.history import RunHistory
from lightning_tui.record.samples import GpuChange
from lightning_tui.record.snapshot import snapshot_of
from tests.record.events import make

STARTED = 1_790_000_000.0
GIB = 1 << 30
HOST = os.uname().nodename

FACTS: Mapping[str, Any] = {
    "num_workers": 4,
    "pin_memory": True,
    "persistent_workers": True,
    "prefetch_factor": 2,
    "batch_size": 32,
    "val_check_interval": 1.0,
    "check_val_every_n_epoch": 1,
    "log_every_n_steps": 50,
    "enable_checkpointing": True,
    "checkpoint_save_top_k": 1,
    "precision": "32-true",
    "gradient_clip_val": 1.0,
    "accumulate_grad_batches": 1,
    "compile": "default",
}


@dataclass
class Story:
    """A run that goes on by `train` and `validate`; what a test cares about is changed on it."""

    ranks: int = 1
    facts: dict[str, Any] = field(default_factory=dict)
    batches: int = 200
    """Of an epoch."""
    epochs: int = 100
    gpus: int = 0
    step_s: float = 0.05
    wait_s: float = 0.001
    validation_s: float = 1.0
    load: float = 95.0
    throttled: tuple[str, ...] = ()
    clock: float = 1900.0
    host_memory: Callable[[int], int] = lambda epoch: 6 * GIB
    gpu_memory: Callable[[int], int] = lambda epoch: 20 * GIB
    ranks_wait_s: dict[int, float] = field(default_factory=dict)
    ranks_step_s: dict[int, float] = field(default_factory=dict)
    loss: Callable[[int], float | str] | None = None
    disk_free: int | None = None
    saves: bool = True
    """A checkpoint at the end of every epoch, the one before is deleted."""
    checkpoint_size: int = GIB
    noise: random.Random | None = None
    """Everything that is measured varies by this."""

    def __post_init__(self) -> None:
        program = ProgramRecord(label="train.py", given=["train.py"], folder="/w", interpreter="/usr/bin/python")
        record = RunRecord(id="train-1", created_at=STARTED, program=program, plan={})
        self.history = RunHistory(record, "/nowhere/train-1")
        self.adviser = Adviser()
        self.now = STARTED
        self.epoch = self.batch = 0
        self.told: list[Advice] = []
        self.history.apply_supervisor_event(make(SupervisorStarted, time=self.now, host=HOST))
        for rank in range(self.ranks):
            self._say(rank, make(Hello, time=self.now, rank=rank, local_rank=rank, pid=100 + rank, host=HOST))
        fields = {name: TrainerField(None, None, value) for name, value in {**FACTS, **self.facts}.items()}
        self._say(0, make(TrainerSeen, time=self.now, world_size=self.ranks, fields=fields, log_dir="/w/logs"))
        for rank in range(self.ranks):
            self._say(rank, make(StageChanged, time=self.now, stage="train"))
        self._progress()

    @property
    def step(self) -> int:
        return self.epoch * self.batches + self.batch

    @property
    def ids(self) -> set[str]:
        """Ids of all that was ever told."""
        return {advice.id for advice in self.told}

    def advice(self, own: str) -> Advice:
        """The newest form of an advice that was told."""
        return next(advice for advice in reversed(self.told) if advice.id == own)

    def train(self, seconds: float) -> Story:
        """Train for so long, with a validation and a checkpoint after every epoch."""
        until = self.now + seconds
        while self.now < until:
            for _ in range(max(1, round(0.5 / self.step_s))):
                self.now += self._vary(self.step_s)
                self.batch += 1
                self._log()
                if self.batch >= self.batches:
                    break
            self._progress()
            self._look()
            if self.batch >= self.batches:
                self._end_epoch()
        return self

    def wait(self, seconds: float) -> Story:
        """Look on while nothing comes."""
        until = self.now + seconds
        while self.now < until:
            self.now += 0.5
            self._look()
        return self

    def validate(self) -> Story:
        """Validate once."""
        self._say(0, make(StageChanged, time=self.now, stage="validate", epoch=self.epoch, global_step=self.step))
        self._look()
        self.now += self._vary(self.validation_s)
        self._look()
        self._say(0, make(StageChanged, time=self.now, stage="train", epoch=self.epoch, global_step=self.step))
        return self

    def save(self, name: str = "last.ckpt", size: int | None = None) -> Story:
        """Save a checkpoint."""
        saved = make(
            CheckpointSaved, time=self.now, path=f"/w/{name}", epoch=self.epoch, global_step=self.step,
            size=self.checkpoint_size if size is None else size, seconds=0.1,
        )  # fmt: skip
        self._say(0, saved)
        return self

    def snapshot(self) -> RunSnapshot:
        return snapshot_of(self.history, supervisor_alive=True, ranks_alive=True, now=self.now)

    def _end_epoch(self) -> None:
        self.validate()
        if self.saves:
            self.save()
        self.epoch, self.batch = self.epoch + 1, 0
        self._progress()

    def _look(self) -> None:
        self._sample()
        for advice in self.adviser.update(self.snapshot(), self.now, Around(self.disk_free)):
            if advice not in self.told:
                self.told.append(advice)

    def _say(self, rank: int, event: Any) -> None:
        self.history.apply_rank_event(0, rank, event)

    def _vary(self, value: float) -> float:
        return value if self.noise is None else value * max(0.3, self.noise.gauss(1, 0.08))

    def _log(self) -> None:
        if self.loss is not None:
            points = Points(steps=[self.step], values=[self.loss(self.step)])  # type: ignore[list-item]
            self._say(0, make(Metrics, time=self.now, epoch=self.epoch, series={"train_loss": points}))

    def _progress(self) -> None:
        for rank in range(self.ranks):
            told = {
                "epoch": self.epoch, "batch": self.batch, "total_batches": self.batches, "max_epochs": self.epochs,
                "global_step": self.step, "batch_size": 32,
                "step_time_s": self._vary(self.ranks_step_s.get(rank, self.step_s)) if self.batch else None,
                "data_wait_s": self._vary(self.ranks_wait_s.get(rank, self.wait_s)) if self.batch else None,
            }  # fmt: skip
            self._say(rank, make(Progress, time=self.now, **told))
            if self.gpus:
                allocated = int(self._vary(1.0) ** 0.1 * self.gpu_memory(self.epoch))
                memory = make(
                    DeviceMemory, time=self.now, device=f"cuda:{rank}", uuid=f"GPU-{rank}", allocated=allocated,
                    reserved=30 * GIB, peak_allocated=30 * GIB, peak_reserved=30 * GIB, total=45 * GIB,
                )  # fmt: skip
                self._say(rank, memory)

    def _sample(self) -> None:
        host = HostSample(
            cpu_count=16, cpu_percent=40.0, memory_used=12 * GIB, memory_total=64 * GIB,
            run_memory=int(self._vary(1.0) ** 0.2 * self.host_memory(self.epoch)), run_processes=5,
        )  # fmt: skip
        gpus = tuple(
            GpuChange(
                index=index, uuid=f"GPU-{index}", utilization=min(100.0, self._vary(self.load)), clock=self.clock,
                clock_limit=1980.0, throttled=self.throttled, temperature=70.0, power_limit=350.0,
                processes=(GpuProcess(100 + index, GIB, True),),
            )
            for index in range(self.gpus)
        )  # fmt: skip
        self.history.apply_supervisor_event(make(Sampled, time=self.now, host=host, gpus=gpus))
