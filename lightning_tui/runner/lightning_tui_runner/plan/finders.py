"""Find a batch size or a learning rate at the start of the fit, with Lightning's own finders, and say the outcome."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from ..process.reporter import warn
from .data_loading import settings_of


def finders_for(plan: dict[str, Any], classes: ModuleType) -> list[Any]:
    """Return the callbacks that the plan asks for; `classes` is the flavour's module of them."""
    finders = []
    if plan.get("auto_scale_batch_size"):
        finders.append(classes.BatchSizeSearch(mode=plan["auto_scale_batch_size"]))
    if plan.get("auto_lr_find"):
        finders.append(classes.LearningRateSearch())
    return finders


def search_at_work(trainer: Any, kind: str) -> Any:
    """The Trainer's `BatchSizeFinder` or `LearningRateFinder`; `None` where it has none that does anything."""
    for callback in trainer.callbacks:
        is_of_kind = any(base.__name__ == kind for base in type(callback).__mro__)
        if is_of_kind and not getattr(callback, "_is_off", False):
            return callback
    return None


class Finder:
    """To be mixed into one of Lightning's finders: only for a fit, and where it cannot work the fit goes on without."""

    field: str
    _is_off = False

    def setup(self, trainer: Any, pl_module: Any, stage: str | None = None) -> None:
        self._is_off = stage != "fit"
        self._try(super().setup, trainer, pl_module, stage)  # type: ignore[misc]

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        self._try(super().on_fit_start, trainer, pl_module)  # type: ignore[misc]
        if not self._is_off:
            self._say(trainer, self.outcome())

    def outcome(self) -> str:
        """What was found, in words."""
        raise NotImplementedError

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Not here: the search belongs to the fit."""

    on_test_start = on_validation_start
    on_predict_start = on_validation_start

    def _try(self, search: Callable[..., None], trainer: Any, *args: Any) -> None:
        if self._is_off:
            return
        try:
            search(trainer, *args)
        except Exception as error:
            if not _is_refusal(error):
                raise
            self._is_off = True
            self._say(trainer, f"not in effect: {error}")

    def _say(self, trainer: Any, message: str) -> None:
        if trainer.is_global_zero:
            warn(f"{self.field}: {message}")


def _is_refusal(error: Exception) -> bool:
    """Whether Lightning says that this model or this Trainer cannot be searched; nothing has been changed then."""
    if isinstance(error, AttributeError):  # so it says that the model has no learning rate to set
        return "learning rate finder" in str(error)
    return type(error).__name__ == "MisconfigurationException"


class SearchesBatchSize(Finder):
    """For `BatchSizeFinder`."""

    field = "auto_scale_batch_size"
    optimal_batch_size: int | None

    def outcome(self) -> str:
        return f"the batch size is now {self.optimal_batch_size}"

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """A program that makes its loaders with another number than its `batch_size` does not follow the finder."""
        loader = next(iter(trainer.fit_loop._combined_loader.flattened), None)
        size = settings_of(loader).get("batch_size")
        if not self._is_off and size is not None and size != self.optimal_batch_size:
            self._say(trainer, f"the program's data loader does not follow its `batch_size`: it stays at {size}")


class SearchesLearningRate(Finder):
    """For `LearningRateFinder`."""

    field = "auto_lr_find"
    optimal_lr: Any

    def outcome(self) -> str:
        rate = self.optimal_lr.suggestion() if self.optimal_lr is not None else None
        if rate is None:
            return "too few batches to suggest a learning rate; the script's value is kept"
        return f"the learning rate is now {rate:.3g}"
