"""Which is the largest batch that fits? Lightning's own search on the program's model and data, told trial by trial.

The size is set on the loaders as a plan's `batch_size` sets it, so it works for a program that has no such attribute,
and what is found is what a run under that plan can use.
"""

from __future__ import annotations

import importlib
import inspect
import time
from collections.abc import Callable
from typing import Any

from ..plan.data_loading import LoaderSettings, settings_of
from ..plan.options import LOADER_ARGUMENTS
from .order import Order
from .trial_memory import meter_of
from .tuned_data import data_of, planned, tell_device

ATTRIBUTE = "batch_size"
STEPS_PER_TRIAL = 3
FIRST_SIZE = 2
MAX_SIZE = 8192
"""Lightning's own limit, from 2.6 on: larger batches are of little use."""
MAX_TRIALS = 25
MAX_TRIALS_ON_CPU = 10


class SearchRefusedError(Exception):
    """The search cannot give a result; the first argument is a word for why."""


def act(order: Order, trainer: Any, call: dict[str, Any]) -> None:
    """Search, and say what was found or why nothing can be."""
    model, data = data_of(call, order.flavour)
    is_on_cpu = trainer.strategy.root_device.type == "cpu"
    max_trials = order.options.get("max_trials") or (MAX_TRIALS_ON_CPU if is_on_cpu else MAX_TRIALS)
    planned(order, trainer, model, leave_out=LOADER_ARGUMENTS)
    sizes = _CurrentSize(trainer, model, data, order)
    sizes.install()
    trials = _Trials(order, trainer, model, sizes)
    tell_device(order, trainer, max_trials=max_trials, memory_limit=trials.memory_limit, attribute=sizes.found_at)
    trials.watch()
    try:
        found = _scale(order, trainer, model, data, max_trials)
    except SearchRefusedError as refusal:
        order.say("refused", reason=refusal.args[0], detail=trials.told_by_loader)
        return
    except Exception:
        if not trials.close_failed(smallest_failed=True):
            raise
        order.say("refused", reason="nothing_fits", detail="")
        return
    trials.tell_result(found, max_trials)


def _scale(order: Order, trainer: Any, model: Any, data: Any, max_trials: int) -> int | None:
    tuner = importlib.import_module(f"{order.flavour}.tuner").Tuner(trainer)
    wanted = {
        "mode": order.options.get("mode", "power"),
        "max_trials": max_trials,
        "steps_per_trial": STEPS_PER_TRIAL,
        "init_val": FIRST_SIZE,
        "batch_arg_name": ATTRIBUTE,
        "max_val": MAX_SIZE,
    }
    known = inspect.signature(tuner.scale_batch_size).parameters
    taken = {name: value for name, value in wanted.items() if name in known}
    found: int | None = tuner.scale_batch_size(model, datamodule=data, **taken)
    return found


class _CurrentSize(LoaderSettings):
    """Gives every loader the size of the present trial, and the plan's other settings."""

    def __init__(self, trainer: Any, model: Any, data: Any, order: Order) -> None:
        self.said: list[str] = []
        self._parsing = importlib.import_module(f"{order.flavour}.utilities.parsing")
        settings = {name: order.plan[name] for name in LOADER_ARGUMENTS if name in order.plan}
        super().__init__(trainer._data_connector, settings, self.said.append, {})
        self._model = model
        self.own: int | None = None
        """What the program's own training loader has."""
        self.has_begun = False
        self.found_at = _holder(model, data)
        if self.found_at is None:
            model.batch_size = FIRST_SIZE  # the search wants one; this process is thrown away

    @property
    def now(self) -> int:
        """Samples of the present trial's batches."""
        return int(self._parsing.lightning_getattr(self._model, ATTRIBUTE))

    def __call__(self, dataloader: Any, *args: Any, **kwargs: Any) -> Any:
        if self.own is None and getattr(kwargs.get("mode"), "value", None) == "train":
            self.own = settings_of(dataloader).get("batch_size")
        # Lightning makes the first trial's loaders before it sets the first size.
        self._settings["batch_size"] = self.now if self.has_begun else FIRST_SIZE
        return super().__call__(dataloader, *args, **kwargs)


def _holder(model: Any, data: Any) -> str | None:
    """Where the program has a `batch_size`, as code says it: the last of the places where Lightning looks."""
    found = []
    for name, place in (("model", model), ("datamodule", data)):
        if hasattr(place, ATTRIBUTE):
            found.append(f"{name}.{ATTRIBUTE}")
        if ATTRIBUTE in getattr(place, "hparams", {}):
            found.append(f"{name}.hparams.{ATTRIBUTE}")
    return found[-1] if found else None


class _Trials:
    """Watches the search by the model's own hooks: Lightning takes all callbacks away while it searches."""

    def __init__(self, order: Order, trainer: Any, model: Any, sizes: _CurrentSize) -> None:
        self._order = order
        self._trainer = trainer
        self._model = model
        self._sizes = sizes
        self._meter = meter_of(trainer.strategy.root_device)
        self._open: int | None = None
        self._began = 0.0
        self._real: int | None = None
        self._passed: list[tuple[int, int | None]] = []
        self._failed: list[int] = []
        self._count = 0

    @property
    def memory_limit(self) -> int | None:
        return self._meter.limit

    @property
    def told_by_loader(self) -> str:
        """Why the loaders' size could not be set, where that was told."""
        return "; ".join(text for text in self._sizes.said if "batch_size" in text)

    def watch(self) -> None:
        """Stand before the model's hooks."""
        _before(self._model, "on_train_start", self._begin)
        _before(self._model, "on_train_batch_start", self._look_at)
        _before(self._model, "on_train_end", self._pass)

    def close_failed(self, *, smallest_failed: bool = False) -> bool:
        """Tell that the open trial failed; whether the very smallest batch has failed too."""
        if self._open is not None:
            self._failed.append(self._open)
            self._report_trial("failed")
            self._open = None
        return smallest_failed and bool(self._failed) and min(self._failed) <= 1 and not self._passed

    def tell_result(self, found: int | None, max_trials: int) -> None:
        """Say the largest size that was really tried and went well; Lightning may name one that it has not tried."""
        self.close_failed()
        self._refuse_where_ignored()
        if not self._passed:
            self._order.say("refused", reason="no_batches", detail="")
            return
        largest = max(size if real is None else min(size, real) for size, real in self._passed)
        self._order.say(
            "batch_size_found",
            batch_size=min(found or largest, largest),
            own_size=self._sizes.own,
            stopped_by=self._stopped_by(max_trials),
        )

    def _stopped_by(self, max_trials: int) -> str:
        if self._failed:
            return "memory"
        size, real = max(self._passed)
        if (real is not None and real < size) or size >= (_samples(self._trainer) or size + 1):
            return "data"
        return "max_trials" if len(self._passed) >= max_trials else "max_size"

    def _begin(self) -> None:
        self.close_failed()
        self._sizes.has_begun = True
        self._open, self._began, self._real = self._sizes.now, time.monotonic(), None
        self._count += 1
        self._meter.begin()
        self._report_trial("running")

    def _look_at(self, batch: Any, *_: Any) -> None:
        real = length_of(batch, self._order.flavour)
        self._real = max(filter(None, (self._real, real)), default=None)
        self._refuse_where_ignored()
        if self._open is not None and not self._meter.has_room_for(self._open):
            # Said in the words by which Lightning knows that memory is short, before the kernel kills this process.
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: the next trial would exhaust it")

    def _pass(self) -> None:
        if self._open is not None:
            self._passed.append((self._open, self._real))
            self._meter.end(self._open)
            self._report_trial("ok")
            self._open = None

    def _refuse_where_ignored(self) -> None:
        """A loader whose batches stay as they are while the size changes does not heed it."""
        tried = [*self._passed, *([(self._open, self._real)] if self._open is not None else [])]
        sizes, reals = {size for size, _ in tried}, {real for _, real in tried}
        if len(sizes) > 1 and len(reals) == 1 and None not in reals and _samples(self._trainer) not in reals:
            raise SearchRefusedError("ignored")

    def _report_trial(self, status: str) -> None:
        seconds = time.monotonic() - self._began if status != "running" else None
        memory = self._meter.peak() if status != "running" else None
        self._order.say(
            "trial",
            number=self._count,
            batch_size=self._open,
            status=status,
            real_size=self._real,
            seconds=seconds,
            memory=memory,
        )


def length_of(batch: Any, flavour: str) -> int | None:
    """Samples in a batch as Lightning itself counts them; `None` where it cannot."""
    data = importlib.import_module(f"{flavour}.utilities.data")
    sizes = list(data._extract_batch_size(batch))
    return sizes[0] if sizes else None


def _before(model: Any, name: str, act: Callable[..., None]) -> None:
    original = getattr(model, name)

    def hook(*args: Any, **kwargs: Any) -> Any:
        act(*args, **kwargs)
        return original(*args, **kwargs)

    setattr(model, name, hook)


def _samples(trainer: Any) -> int | None:
    """Samples of the training data; `None` for a stream."""
    try:
        samples: int = trainer.fit_loop._combined_loader._dataset_length()
    except Exception:  # noqa: BLE001  # Lightning's own part, and a program's `__len__`: only for an explanation
        return None
    return samples
