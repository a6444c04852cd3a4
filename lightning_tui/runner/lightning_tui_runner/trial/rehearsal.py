"""A rehearsal: the unmodified program runs up to its `fit`; there something else is done instead, and the process ends.

An order names what. It lies in the folder that the environment names, and what comes of it is written beside it.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

from ..process.events import EventFile
from ..process.import_hook import FLAVOURS, Patch, PatchingFinder
from ..process.program import Program
from ..process.tracebacks import formatted, type_name
from .quiet_trainer import quiet_arguments, skip_evaluation

ORDER_FILE = "order.json"
EVENTS_NAME = "events"

ACTS = {"batch-size": ".batch_size_search", "lr": ".learning_rate_test"}
"""Which module's `act(rehearsal, trainer, call)` stands in the place of `fit`, by the order's kind."""


class Rehearsal:
    """One order, and the voice that tells what comes of it."""

    def __init__(self, folder: str) -> None:
        """Read the order.

        Raises:
            OSError, ValueError, KeyError: there is none that can be read, or its events cannot be written.
        """
        self.folder = folder
        with open(os.path.join(folder, ORDER_FILE), encoding="utf-8") as file:
            order = json.load(file)
        self.kind: str = order["kind"]
        self.plan: dict[str, Any] = order["plan"]
        self.options: dict[str, Any] = order["options"]
        self.flavour = ""
        self._file = EventFile(folder, EVENTS_NAME)
        self._is_on = False

    def say(self, event: str, **fields: object) -> None:
        """Write an event at once."""
        self._file.add(event, fields)
        self._file.flush()

    def run(self, program: Program, given: dict[str, object]) -> NoReturn:
        """Run the program up to its first `fit`, and leave. A program that never calls it ends as it would.

        Raises:
            SystemExit, and whatever the program raises before its `fit`.
        """
        self._install()
        try:
            program.run(given)
        except SystemExit:
            raise
        except BaseException as error:
            self.say_failure(error)
            raise
        raise SystemExit(0)

    def say_failure(self, error: BaseException) -> None:
        """Say that an exception left the program's code, or Lightning's."""
        self.say("failed", type=type_name(error), message=str(error), traceback=formatted(error), in_fit=self._is_on)

    def leave(self) -> NoReturn:
        """End this process here and now: what stands behind `fit`, a `finally` too, belongs to a real training."""
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(0)

    def _install(self) -> None:
        patches: dict[str, Patch] = {
            f"{flavour}.trainer.trainer": functools.partial(self._wrap_trainer, flavour=flavour) for flavour in FLAVOURS
        }
        finder = PatchingFinder(patches, self._cannot)
        sys.meta_path.insert(0, finder)
        finder.patch_what_is_imported()

    def _cannot(self, error: Exception) -> None:
        """Without its wrappers the program would begin to train: that must not be."""
        self.say_failure(error)
        self.leave()

    def _wrap_trainer(self, module: ModuleType, *, flavour: str) -> None:
        trainer_class = module.Trainer
        trainer_class.__init__ = self._quiet_init(trainer_class.__init__, flavour)
        skip_evaluation(trainer_class, lambda: not self._is_on)
        trainer_class.fit = self._act_instead(trainer_class.fit, flavour)

    def _quiet_init(self, original: Callable[..., None], flavour: str) -> Callable[..., None]:
        names = list(inspect.signature(original).parameters)[1:]

        @functools.wraps(original)
        def __init__(trainer: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807  # it becomes the class's own
            passed = {**dict(zip(names, args, strict=False)), **kwargs}
            original(trainer, **quiet_arguments(passed, self.plan, flavour, self.folder))

        return __init__

    def _act_instead(self, original: Callable[..., Any], flavour: str) -> Callable[..., Any]:
        signature = inspect.signature(original)

        @functools.wraps(original)
        def fit(trainer: Any, *args: Any, **kwargs: Any) -> Any:
            if self._is_on:  # Lightning's Tuner calls `fit` itself
                return original(trainer, *args, **kwargs)
            self._is_on, self.flavour = True, flavour
            try:
                call = signature.bind(trainer, *args, **kwargs).arguments
                act = importlib.import_module(ACTS[self.kind], __package__).act
                act(self, trainer, call)
            except BaseException as error:  # noqa: BLE001  # whatever it is, the program must not go on from here
                self.say_failure(error)
            return self.leave()

        return fit
