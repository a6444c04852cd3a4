"""The callbacks that the program gives to its Trainer: taken as Lightning takes them, with their progress bar."""

from __future__ import annotations

import importlib
from typing import Any

_DRAWN_BY_LIGHTNING = ("RichProgressBar", "TQDMProgressBar")


class NotCallbacksError(TypeError):
    """What the program gave is neither a callback nor a collection; Lightning refuses it in its own words."""


def given_callbacks(given: Any, flavour: str) -> list[Any]:
    """What stands for the program's callbacks, as a new list: one callback, or any collection of them.

    Raises:
        NotCallbacksError: it is neither of both.
    """
    if given is None:
        return []
    if isinstance(given, importlib.import_module(f"{flavour}.callbacks").Callback):
        return [given]
    try:
        return list(given)
    except TypeError as error:
        raise NotCallbacksError from error


def silence_progress_bar(trainer: Any) -> None:
    """Let Lightning's own bar draw nothing: the screen shows progress. The program's own kind of bar stays as it is.

    A kind that is derived from TQDM's keeps all its state and hooks; what its bars would draw goes nowhere.
    """
    bar = trainer.progress_bar_callback
    kind = type(bar)
    if bar is None:
        return
    if kind.__name__ in _DRAWN_BY_LIGHTNING and _is_of_lightning(kind):
        bar.disable()
    elif tqdm := next((base for base in kind.__mro__ if _is_of_lightning(base) and "tqdm" in base.__module__), None):
        _draw_nowhere(importlib.import_module(tqdm.__module__))


def _is_of_lightning(kind: type) -> bool:
    return kind.__module__.startswith(("lightning.pytorch.callbacks", "pytorch_lightning.callbacks"))


def _draw_nowhere(module: Any) -> None:
    """Give the bars of Lightning's module a file that takes everything; tqdm itself, and `tqdm.write`, stay."""
    bars = module.Tqdm
    if getattr(bars, "draws_nowhere", False):
        return

    class Tqdm(bars):  # type: ignore[misc,valid-type]
        draws_nowhere = True

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "file": _Nowhere()})

    module.Tqdm = Tqdm


class _Nowhere:
    encoding = "utf-8"

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass
