"""The hooks that Lightning calls, made safe: whatever breaks in here is said once and never reaches the training."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .plan.plan_in_effect import PlanInEffect
from .plan.trainer_arguments import Arguments
from .process.joining import current_reporter, die_with, join, place_of_run, warn_once
from .process.place import Identity, Place
from .process.reporter import Reporter
from .steering.steering import Steering
from .telemetry.checkpoints import SavedCheckpoint, watch_checkpoints
from .telemetry.step_clock import StepClock
from .telemetry.trainer_telemetry import TrainerTelemetry

if TYPE_CHECKING:
    from typing_extensions import TypeVarTuple, Unpack

    _Args = TypeVarTuple("_Args")

_numbers = itertools.count(1)
_STAGES = ("sanity_check", "train", "validate", "test", "predict")


class TelemetryHooks:
    """To be mixed into a flavour's `Callback`. Until `setup` it holds nothing but plain data, so that it pickles."""

    flavour: str

    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments
        self.number = next(_numbers)
        """Which of the program's Trainers this one is."""
        self._forget()

    def _forget(self) -> None:
        self._reporter: Reporter | None = None
        self._telemetry: TrainerTelemetry | None = None
        self._steering: Steering | None = None
        self._plan: PlanInEffect | None = None
        self._clock = StepClock()

    def __getstate__(self) -> dict[str, Any]:
        return {"arguments": self.arguments, "number": self.number}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.arguments, self.number = state["arguments"], state["number"]
        self._forget()

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        self._safely(self._begin, trainer)
        self._safely(self._begin_plan, trainer, pl_module, stage)
        self._observe(TrainerTelemetry.begin, trainer, pl_module)

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        self._safely(self._end_plan, pl_module)
        self._observe(TrainerTelemetry.leaves, trainer)

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        self._observe(TrainerTelemetry.fit_begins, trainer, pl_module)

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        self._observe(TrainerTelemetry.fit_ends, trainer)
        self._steer(Steering.fit_ends, trainer)
        self._safely(self._report_fit_end, trainer)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        if type(exception) is not SystemExit:  # with that the program chose to leave; its exit code says the rest
            self._safely(self._report_exception, trainer, exception)
        self._safely(self._end_plan, pl_module)
        self._observe(TrainerTelemetry.is_interrupted, trainer)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self._observe(TrainerTelemetry.train_begins, trainer, pl_module)
        self._steer(Steering.training_begins)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._observe(TrainerTelemetry.epoch_begins, trainer)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        now = self._clock.batch_begins()
        if self._telemetry is not None:
            self._observed(self._telemetry.batch_begins, trainer, batch, now)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._clock.batch_done()
        if self._telemetry is not None:
            self._observed(self._telemetry.batch_done, trainer, outputs)
        if (steering := self._steering) is not None:
            self._steered(steering, steering.batch_done, trainer, self._clock.typical_s)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._observe(TrainerTelemetry.epoch_ends, trainer)
        self._steer(Steering.epoch_ends, trainer)
        if self._steering is not None and self._steering.leaves_now:
            # Lightning's own way out of the fit. It spares the callbacks that look for the metrics of a whole epoch.
            raise StopIteration

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self._observe(TrainerTelemetry.train_ends, trainer)
        self._steer(Steering.training_ends, trainer)

    def on_checkpoint_saved_for_lightning_tui(self, trainer: Any, saved: SavedCheckpoint) -> None:
        """Called by our wrapper of `Trainer.save_checkpoint`."""
        self._observe(TrainerTelemetry.checkpoint_saved, trainer, saved)

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        self._observe(TrainerTelemetry.evaluation_begins, trainer, "validate")
        self._steer(Steering.evaluation_begins)

    def on_validation_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, *indices: int) -> None:
        if self._telemetry is not None:
            self._observed(self._telemetry.evaluation_batch_done, trainer, batch)
        if (steering := self._steering) is not None:
            self._steered(steering, steering.evaluation_batch_done, trainer)
        if self._leaves_validation(trainer):
            raise StopIteration  # with which Lightning's loop over the batches ends

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        if self._leaves_validation(trainer):
            self._observe(TrainerTelemetry.evaluation_is_left, trainer)
            trainer.training = True  # as Lightning does at the end of a validation
            # It ends the fit's loop, and spares the callbacks that would take metrics of a part for those of the whole.
            raise StopIteration

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        self._observe(TrainerTelemetry.evaluation_ends, trainer)
        self._steer(Steering.evaluation_ends, trainer)

    def on_test_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, *indices: int) -> None:
        self._observe(TrainerTelemetry.evaluation_batch_done, trainer, batch)

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        self._observe(TrainerTelemetry.evaluation_ends, trainer)

    def on_test_start(self, trainer: Any, pl_module: Any) -> None:
        self._observe(TrainerTelemetry.evaluation_begins, trainer, "test")

    def on_predict_start(self, trainer: Any, pl_module: Any) -> None:
        self._observe(TrainerTelemetry.evaluation_begins, trainer, "predict")

    on_predict_batch_end = on_test_batch_end
    on_predict_end = on_test_end

    def _begin(self, trainer: Any) -> None:
        place = place_of_run()
        if place is None:
            return
        if self._reporter is None or not self._reporter.is_mine:
            self._forget()
            self._reporter = current_reporter() or _join_as_child(trainer, place)
            watch_checkpoints(type(trainer))  # in a spawned process Lightning was imported without our hook
        if self._steering is None:
            self._steering = Steering(place, self._reporter, trainer, self._report_pause)
            self._steer(Steering.begin, trainer)
        if self._telemetry is None and self._reporter.is_on:
            self._telemetry = TrainerTelemetry(self._reporter, trainer, self.arguments, self.flavour, self._clock)
            self._telemetry.number = self.number

    def _report_pause(self, trainer: Any, is_paused: bool) -> None:
        """What follows is no step, and no training until it is over."""
        self._clock.pause()
        self._observe(TrainerTelemetry.pauses if is_paused else TrainerTelemetry.resumes, trainer)

    def _leaves_validation(self, trainer: Any) -> bool:
        return self._steering is not None and self._steering.leaves_validation(trainer)

    def _begin_plan(self, trainer: Any, pl_module: Any, stage: str) -> None:
        self._plan = PlanInEffect(self.arguments.requested, self.arguments.script, warn_once)
        self._plan.begin(trainer, pl_module, stage)

    def _end_plan(self, pl_module: Any) -> None:
        if self._plan is not None:
            self._plan.leaves(pl_module)

    def _report_fit_end(self, trainer: Any) -> None:
        if self._reporter is not None:
            finished, reason = _outcome(trainer, self._steering)
            epoch, step = trainer.current_epoch, trainer.global_step
            self._reporter.insist("fit_end", finished=finished, reason=reason, epoch=epoch, global_step=step)

    def _report_exception(self, trainer: Any, exception: BaseException) -> None:
        reporter = self._reporter or current_reporter()
        if reporter is not None:
            stage = str(getattr(trainer.state.stage, "value", ""))
            hook = stage if stage in _STAGES else "setup"
            reporter.exception(exception, hook, trainer.current_epoch, trainer.global_step)

    def _safely(self, act: Callable[[Unpack[_Args]], None], *args: Unpack[_Args]) -> None:
        try:
            act(*args)
        except Exception as error:  # noqa: BLE001  # fail open
            self._trouble(error)

    def _observe(self, hook: Callable[[TrainerTelemetry, Unpack[_Args]], None], *args: Unpack[_Args]) -> None:
        if self._telemetry is not None:
            self._observed(hook, self._telemetry, *args)

    def _observed(self, hook: Callable[[Unpack[_Args]], None], *args: Unpack[_Args]) -> None:
        """What happens at every batch calls this itself, with a bound method: that is the shortest way."""
        try:
            hook(*args)
        except Exception as error:  # noqa: BLE001  # fail open
            self._telemetry = None
            self._trouble(error)

    def _steer(self, hook: Callable[[Steering, Unpack[_Args]], None], *args: Unpack[_Args]) -> None:
        if self._steering is not None:
            self._steered(self._steering, hook, self._steering, *args)

    def _steered(self, steering: Steering, hook: Callable[[Unpack[_Args]], None], *args: Unpack[_Args]) -> None:
        try:
            hook(*args)
        except Exception as error:  # noqa: BLE001  # fail open
            steering.break_down(error)

    def _trouble(self, error: Exception) -> None:
        reporter = self._reporter or current_reporter()
        if reporter is not None:
            reporter.trouble(error)


def _join_as_child(trainer: Any, place: Place) -> Reporter:
    """Join from a process that Lightning forked or spawned: the shim has not been here, or in another process."""
    import multiprocessing
    import multiprocessing.util

    parent = multiprocessing.parent_process()
    if parent is not None:
        die_with(parent.pid)
    identity = Identity(trainer.global_rank, trainer.local_rank, trainer.node_rank, trainer.world_size)
    reporter = join(place, identity, argv=place.shown_arguments(sys.argv), is_started_by_shim=False)
    multiprocessing.util.Finalize(None, reporter.insist, ("exit",), {"code": 0}, exitpriority=0)
    return reporter


def _outcome(trainer: Any, steering: Steering | None) -> tuple[bool, str]:
    """Whether the fit came to its own end, and which end that was."""
    loop = trainer.fit_loop
    if 0 <= loop.max_steps <= trainer.global_step:
        return True, "max_steps"
    left_early = steering is not None and steering.leaves_now
    if not left_early and loop.max_epochs is not None and 0 <= loop.max_epochs <= loop.epoch_progress.current.processed:
        return True, "max_epochs"
    if steering is not None and steering.was_stopped:
        return False, "stop"
    return True, "should_stop" if trainer.should_stop else "no more batches"
