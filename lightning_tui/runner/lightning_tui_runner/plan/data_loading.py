"""The program's own DataLoaders with other settings: same data set, same sampler, same order.

A loader is copied, not made anew: a class of the program's own keeps all that it holds, and the program's own object
stays as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from .options import LOADER_ARGUMENTS

Say = Callable[[str], None]


class LoaderSettings:
    """Stands on a Trainer's data connector for its `_prepare_dataloader`, through which every loader passes."""

    def __init__(self, connector: Any, settings: dict[str, Any], say: Say, notes: dict[str, Any]) -> None:
        """`settings` by field name; what the script had is put into `notes`."""
        self._connector = connector
        self._settings = settings
        self._say = say
        self._notes = notes
        self._said: set[str] = set()

    def install(self) -> None:
        self._connector._prepare_dataloader = self

    def __call__(self, dataloader: Any, *args: Any, **kwargs: Any) -> Any:
        """Let Lightning do its part (a sampler for this rank), then change the settings."""
        prepared = type(self._connector)._prepare_dataloader(self._connector, dataloader, *args, **kwargs)
        try:
            if getattr(kwargs.get("mode"), "value", None) == "train":
                self._note(prepared)
            return with_settings(prepared, self._settings, self._say_once)
        except Exception as error:  # noqa: BLE001  # fail open: the program then has its loader as it was
            self._say_once(f"the data loader {type(dataloader).__name__} is unchanged: {error}")
            return prepared

    def _note(self, loader: Any) -> None:
        for name, value in settings_of(loader).items():
            if value is not None:
                self._notes.setdefault(name, value)

    def _say_once(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            self._say(message)


def with_settings(loader: Any, settings: dict[str, Any], say: Say) -> Any:
    """Return a loader like this one with other settings; what cannot be set is said and left as it is."""
    from torch.utils.data import DataLoader

    if not isinstance(loader, DataLoader):
        say(f"{', '.join(settings)}: not in effect for {type(loader).__name__}, which is not a torch DataLoader")
        return loader
    changes = {**_worker_changes(loader, settings, say), **_batch_changes(loader, settings.get("batch_size"), say)}
    if not changes:
        return loader
    changed = copy.copy(loader)
    vars(changed).update({**changes, "_iterator": None})  # past the loader's own guard against changes after a start
    return changed


def settings_of(loader: Any) -> dict[str, Any]:
    """Return a loader's settings under the plan's names; empty for what is no DataLoader."""
    from torch.utils.data import DataLoader

    if not isinstance(loader, DataLoader):
        return {}
    size = getattr(loader.batch_sampler, "batch_size", None) if loader.batch_size is None else loader.batch_size
    return {**{name: getattr(loader, name) for name in LOADER_ARGUMENTS if name != "batch_size"}, "batch_size": size}


def _worker_changes(loader: Any, settings: dict[str, Any], say: Say) -> dict[str, Any]:
    asked = {name: value for name, value in settings.items() if name != "batch_size"}
    if "num_workers" in asked and _is_iterable(loader) and asked["num_workers"] != loader.num_workers:
        del asked["num_workers"]
        say("num_workers: unchanged for an IterableDataset, because each worker would load all of the data")
    workers = asked.get("num_workers", loader.num_workers)
    if workers == 0:
        kept = {name: value for name, value in asked.items() if name in ("num_workers", "pin_memory")}
        asked = {**kept, **_without_workers(asked, say)}
    elif loader.prefetch_factor is None:
        asked.setdefault("prefetch_factor", 2)  # torch's own default
    return {name: value for name, value in asked.items() if value != vars(loader).get(name)}


def _without_workers(asked: dict[str, Any], say: Say) -> dict[str, Any]:
    """What a loader must not have that loads in the training process itself; torch refuses it then."""
    unused = [n for n in ("persistent_workers", "prefetch_factor") if asked.get(n)]
    if unused:
        say(f"{', '.join(unused)}: not in effect without num_workers")
    if "num_workers" not in asked:
        return {}
    context = "_DataLoader__multiprocessing_context"
    return {"prefetch_factor": None, "persistent_workers": False, "timeout": 0, context: None}


def _batch_changes(loader: Any, size: int | None, say: Say) -> dict[str, Any]:
    from torch.utils.data import BatchSampler

    if size is None or size == loader.batch_size:
        return {}
    sampler = loader.batch_sampler
    if type(sampler) is not BatchSampler:
        kind = "without batches" if sampler is None else f"with the batch sampler {type(sampler).__name__}"
        say(f"batch_size: unchanged for a DataLoader {kind}")
        return {}
    return {"batch_size": size, "batch_sampler": BatchSampler(sampler.sampler, size, sampler.drop_last)}


def _is_iterable(loader: Any) -> bool:
    from torch.utils.data import IterableDataset

    return isinstance(loader.dataset, IterableDataset)
