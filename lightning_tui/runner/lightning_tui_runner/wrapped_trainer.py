"""The program's own `Trainer` class, changed in place: it is built under the plan, and with our callback."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .plan.finders import Finder, finders_for
from .plan.model_checkpoints import with_checkpoints
from .plan.trainer_arguments import Arguments, as_field, script_says, strategy_argument, with_plan
from .process.joining import report_trouble, warn_once
from .process.program_callbacks import NotCallbacksError, given_callbacks, silence_progress_bar
from .process.tracebacks import leave_no_frame
from .telemetry.checkpoints import watch_checkpoints


def wrap_trainer(module: ModuleType, *, flavour: str, plan: dict[str, Any]) -> None:
    """Wrap `Trainer.__init__`, `save_checkpoint`, what resolves `ckpt_path` and, where the plan resumes, `fit`."""
    trainer_class = module.Trainer
    _wrap_init(trainer_class, flavour, plan)
    watch_checkpoints(trainer_class)
    resuming = {name: value for name, value in plan.items() if name in ("ckpt_path", "weights_only")}
    if resuming:
        _wrap_fit(trainer_class, resuming)
    else:
        _watch_resuming(module)


def _wrap_init(trainer_class: Any, flavour: str, plan: dict[str, Any]) -> None:
    original = trainer_class.__init__
    names = _parameters(original)

    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807  # it becomes the class's own
        try:
            passed = {**dict(zip(names, args, strict=False)), **kwargs}
            arguments = with_plan(passed, plan)
            script = script_says(passed)
            arguments["callbacks"] = _callbacks(passed, plan, script, flavour)
            is_ours = True
        except Exception as error:  # noqa: BLE001  # fail open: the program then gets the Trainer that it asked for
            is_ours = False
            if not isinstance(error, NotCallbacksError):
                report_trouble(error)
        try:
            if not is_ours:
                original(self, *args, **kwargs)
                return
            strategy = strategy_argument(passed.get("strategy"), plan, flavour)
            if strategy is not None:
                arguments["strategy"] = strategy
            original(self, **arguments)
        except BaseException as error:
            leave_no_frame(error)
            raise
        try:
            silence_progress_bar(self)
        except Exception as error:  # noqa: BLE001  # fail open: then the bar is drawn
            report_trouble(error)

    trainer_class.__init__ = __init__


def _parameters(function: Callable[..., Any]) -> list[str]:
    """Names of a method's parameters in order, `self` left out: Lightning takes its keywords by position too."""
    import inspect

    return list(inspect.signature(function).parameters)[1:]


def _callbacks(passed: dict[str, Any], plan: dict[str, Any], script: dict[str, Any], flavour: str) -> list[Any]:
    """A new list: theirs (without one of ours from a Trainer before), then ours."""
    classes = importlib.import_module(f".callback_of_{flavour.partition('.')[0]}", __package__)
    ours = classes.LightningTuiTelemetry
    theirs = given_callbacks(passed.get("callbacks"), flavour)
    kept = [callback for callback in theirs if not isinstance(callback, (ours, Finder))]
    if not passed.get("barebones"):  # which takes no callbacks that do something
        kept = [*with_checkpoints(kept, plan, flavour, warn_once), *finders_for(plan, classes)]
    requested = {name: as_field(value) for name, value in plan.items()}
    return [*kept, ours(Arguments(requested, script))]


def _wrap_fit(trainer_class: Any, planned: dict[str, Any]) -> None:
    """Note from where the script resumes, and let it do so as the plan says; its `none` is no checkpoint."""
    import inspect

    original = trainer_class.fit
    signature = inspect.signature(original)
    names = signature.parameters  # older ones have no `weights_only`

    @functools.wraps(original)
    def fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature.bind(self, *args, **kwargs)
            _note_script(self, bound.arguments)
            bound.arguments.update({n: None if v == "none" else v for n, v in planned.items() if n in names})
        except TypeError:  # a call that Lightning itself will refuse, in its own words
            return original(self, *args, **kwargs)
        try:
            return original(*bound.args, **bound.kwargs)
        except BaseException as error:
            leave_no_frame(error)
            raise

    trainer_class.fit = fit


def _watch_resuming(module: ModuleType) -> None:
    """Note from where the script resumes, without a frame of ours around its training."""
    connector = getattr(module, "_CheckpointConnector", None)
    original = getattr(connector, "_select_ckpt_path", None)
    if connector is None or original is None:  # another Lightning keeps it elsewhere
        return

    @functools.wraps(original)
    def select(self: Any, state_fn: Any, ckpt_path: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(state_fn, "value", None) == "fit":
            _note_script(self.trainer, {"ckpt_path": ckpt_path})
        return original(self, state_fn, ckpt_path, *args, **kwargs)

    connector._select_ckpt_path = select


def _note_script(trainer: Any, passed: dict[str, Any]) -> None:
    for callback in trainer.callbacks:
        arguments = getattr(callback, "arguments", None)
        if isinstance(arguments, Arguments):
            said = {name: as_field(passed.get(name)) for name in ("ckpt_path", "weights_only")}
            arguments.script.update({name: value for name, value in said.items() if value is not None})
