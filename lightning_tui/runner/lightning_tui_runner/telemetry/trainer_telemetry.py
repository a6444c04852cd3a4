"""What a rank tells about its Trainer: stages, progress, metrics, memory, checkpoints."""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping
from typing import Any

from ..plan.trainer_arguments import Arguments
from ..process.reporter import Reporter, described, warn
from .checkpoints import SavedCheckpoint
from .device_memory import batch_size_of, memory_of
from .logged_values import LoggerTap, numbers_among
from .metrics import MetricBuffer, learning_rates
from .step_clock import StepClock, stop_timing_fetches, time_fetches
from .trainer_facts import fields_of, log_dir_of, monitors_learning_rate, parameters_of, whole

LEADER_PERIOD_S = 0.25
FOLLOWER_PERIOD_S = 0.4
CROWD, CROWD_PERIOD_S = 32, 1.0
"""From so many ranks on, those that follow write less often: their files lie on one disk."""
STAGE_PERIOD_S = 0.05
"""Stages are written more often than the rest: what hangs in one shall not be seen in the one before."""
SOON_PERIOD_S = 0.5
MEMORY_PERIOD_S = 1.0


_WITH_BATCHES = ("sanity_check", "train", "validate", "test", "predict")


class TrainerTelemetry:
    """One Trainer as seen from its hooks. May raise: the callback keeps that from the training."""

    def __init__(self, reporter: Reporter, trainer: Any, arguments: Arguments, flavour: str, clock: StepClock) -> None:
        import torch

        self.number = 0
        """Which of the program's Trainers it is; 0 is not known."""
        self._reporter = reporter
        self._arguments = arguments
        self._flavour = flavour
        self._clock = clock
        self._is_leader = bool(trainer.is_global_zero)
        following_s = FOLLOWER_PERIOD_S if trainer.world_size < CROWD else CROWD_PERIOD_S
        self._period_s = LEADER_PERIOD_S if self._is_leader else following_s
        self._metrics = MetricBuffer(torch.Tensor, only_step_loss=not self._is_leader)
        self._metrics.logs_lr = monitors_learning_rate(trainer)
        self._tensor_class = torch.Tensor
        self._tap = LoggerTap(self._collect_direct, self._lose_direct)
        self._connector = trainer._logger_connector
        self._stage = "setup"
        self._paused_stage = "train"
        self._is_cut_off = False
        self._step = 0
        self._epoch = 0
        self._keeps_step = True
        self._evaluated = 0
        self._told_place: tuple[object, ...] = ()
        self._means: tuple[float, float] | None = None
        self._batch_sizes: dict[str, int | None] = {}
        self._next_flush = 0.0
        self._wait_s = 0.0
        """Up to the next flush; short at the beginning of a stage."""
        self._next_soon = 0.0
        self._next_stage = 0.0
        self._next_memory = 0.0
        self._saves: list[SavedCheckpoint] = []
        self._kept: dict[str, SavedCheckpoint] = {}
        self._may_have_gone = False
        self._parameters: tuple[int | None, int | None] = (None, None)

    # ------------------------------------------------------------------------------------------------------- stages

    def begin(self, trainer: Any, module: Any) -> None:
        """The Trainer is about to run something."""
        self._epoch = trainer.current_epoch
        self._enter(trainer, "setup")
        self._introduce(trainer, module)
        if self._is_leader:
            self._tap.begin(trainer.loggers)

    def fit_begins(self, trainer: Any, module: Any) -> None:
        """The model is built and on its device: say its size, where that could not be said before."""
        if self._parameters == (None, None):
            self._introduce(trainer, module)

    def train_begins(self, trainer: Any, module: Any) -> None:
        self._is_cut_off = False
        self._introduce(trainer, module)  # only now is all in place: loaders, wrapped model, what finders have found
        self._step, self._epoch = trainer.global_step, trainer.current_epoch
        self._clock.pause()
        time_fetches(trainer.fit_loop.epoch_loop, self._clock)
        self._enter(trainer, "train")
        self._flush_soon()
        self._flush(trainer)

    def evaluation_begins(self, trainer: Any, stage: str) -> None:
        """Validation, test or prediction begins; within a fit, Lightning's sanity check is one too."""
        self._take_step(trainer)
        self._clock.pause()
        self._evaluated = 0
        self._enter(trainer, "sanity_check" if trainer.sanity_checking else stage)
        self._flush_soon()

    def evaluation_ends(self, trainer: Any) -> None:
        is_sanity_check = trainer.sanity_checking
        if not is_sanity_check:
            self._step = trainer.global_step
            self._collect_logged(trainer)
        self._flush_if_due(trainer)
        if trainer.state.fn == "fit" and not is_sanity_check:
            self._enter(trainer, "train")

    def pauses(self, trainer: Any) -> None:
        """All ranks stand at this batch until somebody lets them go on."""
        self._flush(trainer)
        self._paused_stage = self._stage
        self._enter(trainer, "paused")
        self._reporter.flush()

    def resumes(self, trainer: Any) -> None:
        self._enter(trainer, self._paused_stage)
        self._reporter.flush()

    def evaluation_is_left(self, trainer: Any) -> None:
        """A stop ends it amid its batches: what Lightning has of its metrics is of a part, and nobody's business."""
        self._is_cut_off = True
        self._enter(trainer, "train")

    def epoch_begins(self, trainer: Any) -> None:
        """Only now does Lightning have the means over the epoch before."""
        self._collect_logged(trainer)
        self._epoch = trainer.current_epoch

    def epoch_ends(self, trainer: Any) -> None:
        self._take_step(trainer)
        self._clock.pause()

    def train_ends(self, trainer: Any) -> None:
        stop_timing_fetches(trainer.fit_loop.epoch_loop)
        self._collect_logged(trainer)
        self._flush(trainer)

    def fit_ends(self, trainer: Any) -> None:
        """All writers of checkpoints are done by now."""
        self._report_saves(trainer)
        self._report_removals()
        self._reporter.flush()

    def leaves(self, trainer: Any) -> None:
        """The Trainer has left what it was asked to run."""
        self._tap.end()
        if self._stage != "train":
            self._flush(trainer)
        elif self._is_leader:  # what the program handed to its loggers at the very end
            self._note_metrics(trainer)
        self._enter(trainer, "done")
        self._reporter.flush()

    def is_interrupted(self, trainer: Any) -> None:
        """An exception leaves the Trainer. What the device still holds stays there: it may never answer again."""
        self._tap.end()
        if trainer.strategy.root_device.type == "cpu":
            self._flush(trainer)
        else:
            self._note_progress(trainer)
            self._reporter.flush()

    # ------------------------------------------------------------------------------------------------------ batches

    def batch_begins(self, trainer: Any, batch: Any, now: float) -> None:
        """The batch before is complete only now: Lightning takes its logged values in after our hook."""
        if self._keeps_step:
            self._take_step(trainer)
        self._flush_if_due(trainer, batch, now)

    def batch_done(self, trainer: Any, outputs: Any) -> None:
        self._step = trainer.global_step
        self._keeps_step = self._metrics.is_kept()
        if self._keeps_step:
            self._metrics.add_loss(self._step, outputs)

    def evaluation_batch_done(self, trainer: Any, batch: Any) -> None:
        self._evaluated += 1
        self._flush_if_due(trainer, batch)

    def checkpoint_saved(self, trainer: Any, saved: SavedCheckpoint) -> None:
        """`Trainer.save_checkpoint` has returned, on all ranks."""
        self._clock.leave_out(saved.seconds)
        if self._is_leader:
            self._saves.append(saved)
            self._report_saves(trainer)
            self._reporter.flush()

    # ------------------------------------------------------------------------------------------------------ details

    def _introduce(self, trainer: Any, module: Any) -> None:
        if not self._is_leader:
            return
        import torch

        self._parameters = parameters_of(module)
        self._reporter.say(
            "trainer",
            flavour=self._flavour,
            lightning=importlib.import_module(self._flavour).__version__,
            torch=torch.__version__,
            world_size=trainer.world_size,
            fields=fields_of(trainer, self._arguments, self._flavour),
            parameters=self._parameters[0],
            trainable_parameters=self._parameters[1],
            log_dir=log_dir_of(trainer),
            number=self.number,
            call=getattr(trainer.state.fn, "value", None),
        )

    def _enter(self, trainer: Any, stage: str) -> None:
        """Written at once, with how far the stage before has come, as nothing else may come for long; in tiny epochs
        a few times a second."""
        now = time.perf_counter()
        is_due = now >= self._next_stage
        if is_due and self._stage in _WITH_BATCHES and self._place(trainer) != self._told_place:
            self._note_progress(trainer)
        self._stage = stage
        self._reporter.note("stage", stage=stage, epoch=self._epoch, global_step=trainer.global_step)
        if is_due:
            self._next_stage = now + (self._period_s if self._period_s >= CROWD_PERIOD_S else STAGE_PERIOD_S)
            self._reporter.flush()

    def _collect_logged(self, trainer: Any, *, each_step: bool = False) -> None:
        """Look at what the script has logged.

        Not through `callback_metrics`: that computes, and for metrics that are synced it calls the other ranks.
        """
        if self._stage != "sanity_check" and not self._is_cut_off:
            logged = trainer._logger_connector._callback_metrics
            self._metrics.add_logged(self._step, logged, each_step=each_step)

    def _take_step(self, trainer: Any) -> None:
        """Look at what the script has logged in the step that is complete now, where it is one to be kept."""
        self._collect_logged(trainer, each_step=self._keeps_step)
        self._keeps_step = False

    def _collect_direct(self, metrics: Mapping[str, Any]) -> None:
        """Take what was handed to a logger and has not come through Lightning's own log."""
        if self._stage == "sanity_check" or not self._reporter.is_mine:
            return
        connector = self._connector
        known = (*connector._callback_metrics, *connector._logged_metrics, "epoch")
        for name, value in numbers_among(metrics, self._tensor_class).items():
            if name not in known:
                self._metrics.add_direct(name, self._step, value)

    def _lose_direct(self, error: Exception) -> None:
        self._tap.end()
        warn(f"values passed directly to a logger are no longer recorded: {described(error)}")

    def _flush_if_due(self, trainer: Any, batch: Any = None, now: float | None = None) -> None:
        is_due = (time.perf_counter() if now is None else now) >= self._next_flush
        if batch is not None and (is_due or self._stage not in self._batch_sizes):
            self._batch_sizes[self._stage] = batch_size_of(batch)
        if is_due:
            self._flush(trainer)

    def _flush_soon(self) -> None:
        """Let the first batches be told at once: a hang there shows where it is. Not in tiny epochs."""
        now = time.perf_counter()
        if now >= self._next_soon:
            self._next_soon = now + SOON_PERIOD_S
            self._wait_s = self._next_flush = 0.0

    def _flush(self, trainer: Any) -> None:
        now = time.perf_counter()
        self._next_flush = now + self._wait_s
        self._wait_s = min(self._period_s, 2 * self._wait_s + 0.01)
        self._note_metrics(trainer)
        self._note_progress(trainer)
        if now >= self._next_memory:
            self._next_memory = now + MEMORY_PERIOD_S
            memory = memory_of(trainer.strategy.root_device)
            if memory is not None:
                self._reporter.note("memory", **memory)
        self._report_saves(trainer)
        self._report_removals()
        self._reporter.flush()

    def _note_metrics(self, trainer: Any) -> None:
        if self._is_leader and self._stage == "train" and not self._metrics.logs_lr:
            for name, rate in learning_rates(trainer.optimizers).items():
                self._metrics.add_value(name, self._step, rate)
        series = self._metrics.take()
        if series:
            self._reporter.note("metrics", epoch=self._epoch, series=series)

    def _note_progress(self, trainer: Any) -> None:
        self._told_place = self._place(trainer)
        self._means = self._clock.take_means() or self._means
        means = self._means if self._stage == "train" else None
        batch, total = self._counts(trainer)
        self._reporter.note(
            "progress",
            stage=self._stage,
            epoch=self._epoch,
            max_epochs=whole(trainer.max_epochs),
            global_step=trainer.global_step,
            max_steps=whole(trainer.max_steps),
            batch=batch,
            total_batches=total,
            step_time_s=means[0] if means else None,
            data_wait_s=means[1] if means else None,
            batch_size=self._batch_sizes.get(self._stage),
        )

    def _place(self, trainer: Any) -> tuple[object, ...]:
        return self._stage, trainer.global_step, *self._counts(trainer)

    def _counts(self, trainer: Any) -> tuple[int, int | None]:
        if self._stage == "train":
            done = trainer.fit_loop.epoch_loop.batch_progress.current.completed
            return done, whole(trainer.num_training_batches)
        totals = {
            "sanity_check": "num_sanity_val_batches",
            "validate": "num_val_batches",
            "test": "num_test_batches",
            "predict": "num_predict_batches",
        }
        name = totals.get(self._stage)
        return self._evaluated, whole(getattr(trainer, name)) if name else None

    def _report_saves(self, trainer: Any) -> None:
        if not self._saves:
            return
        complete = [saved for saved in self._saves if saved.is_complete]
        self._saves = [saved for saved in self._saves if saved not in complete]
        for saved in complete:
            self._kept[saved.path] = saved
            self._may_have_gone = True
            self._reporter.note(
                "checkpoint",
                path=saved.path,
                epoch=self._epoch,
                global_step=trainer.global_step,
                size=saved.size(),
                seconds=saved.seconds,
            )

    def _report_removals(self) -> None:
        """Lightning deletes what a new checkpoint has outdone, just after it has saved that one."""
        if not self._may_have_gone:
            return
        self._may_have_gone = False
        for path in [path for path, saved in self._kept.items() if saved.is_gone]:
            del self._kept[path]
            self._reporter.note("checkpoint_removed", path=path)
