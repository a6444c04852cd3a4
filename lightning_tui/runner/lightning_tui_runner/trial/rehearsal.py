"""A rehearsal: the unmodified program runs up to its `fit`; there something else is done instead, and the process ends.

An order names what. It lies in the folder that the environment names, and what comes of it is written beside it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

from ..process.import_hook import FLAVOURS, Patch, PatchingFinder
from ..process.joining import leave_now
from ..process.program import Program
from . import batch_size_search, learning_rate_test
from .order import Order
from .quiet_trainer import quiet_arguments, skip_evaluation

ACTS = {"batch-size": batch_size_search.act, "lr": learning_rate_test.act}
"""What is done in the place of `fit`, by the order's kind."""


class Rehearsal:
    """The program's way to its `fit`, where the order is carried out."""

    def __init__(self, folder: str) -> None:
        """Read the order that lies in the folder; raises what `Order` does."""
        self._order = Order(folder)

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
            self._order.say_failure(error)
            raise
        raise SystemExit(0)

    def _install(self) -> None:
        patches: dict[str, Patch] = {
            f"{flavour}.trainer.trainer": functools.partial(self._wrap_trainer, flavour=flavour) for flavour in FLAVOURS
        }
        PatchingFinder(patches, self._cannot).install()

    def _cannot(self, error: Exception) -> None:
        """Without its wrappers the program would begin to train: that must not be."""
        self._order.say_failure(error)
        leave_now()

    def _wrap_trainer(self, module: ModuleType, *, flavour: str) -> None:
        trainer_class = module.Trainer
        trainer_class.__init__ = self._quiet_init(trainer_class.__init__, flavour)
        skip_evaluation(trainer_class, lambda: not self._order.is_on)
        trainer_class.fit = self._act_instead(trainer_class.fit, flavour)

    def _quiet_init(self, original: Callable[..., None], flavour: str) -> Callable[..., None]:
        names = list(inspect.signature(original).parameters)[1:]

        @functools.wraps(original)
        def __init__(trainer: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807  # it becomes the class's own
            passed = {**dict(zip(names, args, strict=False)), **kwargs}
            original(trainer, **quiet_arguments(passed, self._order.plan, flavour, self._order.folder))

        return __init__

    def _act_instead(self, original: Callable[..., Any], flavour: str) -> Callable[..., Any]:
        signature, order = inspect.signature(original), self._order

        @functools.wraps(original)
        def fit(trainer: Any, *args: Any, **kwargs: Any) -> Any:
            if order.is_on:  # Lightning's Tuner calls `fit` itself
                return original(trainer, *args, **kwargs)
            order.is_on, order.flavour = True, flavour
            try:
                call = signature.bind(trainer, *args, **kwargs).arguments
                ACTS[order.kind](order, trainer, call)
            except BaseException as error:  # noqa: BLE001  # whatever it is, the program must not go on from here
                order.say_failure(error)
            return leave_now()

        return fit
