"""See the values that a program hands to its loggers itself, past `self.log`: `logger.log_metrics({...}, step)`."""

from __future__ import annotations

import contextlib
import functools
import numbers
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..process.tracebacks import leave_no_frame
from .metrics import plain_tensor

Take = Callable[[Mapping[str, Any]], None]

_NAME = "log_metrics"


class LoggerTap:
    """Listens at the `log_metrics` of the loggers' classes, so that loggers still pickle, and lets all of it through.

    What goes wrong in listening is told to `trouble`. The logger's own function is called first in any case, and what
    it raises or returns is the program's.
    """

    def __init__(self, take: Take, trouble: Callable[[Exception], None]) -> None:
        self._take = take
        self._trouble = trouble
        self._classes: dict[type, Any] = {}

    def begin(self, loggers: Iterable[Any]) -> None:
        """Listen at these loggers."""
        for logger in loggers:
            kind = type(logger)
            if kind in self._classes or not callable(getattr(kind, _NAME, None)):
                continue
            own = vars(kind).get(_NAME)
            try:
                setattr(kind, _NAME, self._listening(getattr(kind, _NAME)))
            except (TypeError, AttributeError) as error:  # a class that cannot be changed
                self._trouble(error)
            else:
                self._classes[kind] = own

    def end(self) -> None:
        """Give the classes their own functions back."""
        for kind, own in self._classes.items():
            if own is not None:
                setattr(kind, _NAME, own)
            else:
                delattr(kind, _NAME)
        self._classes = {}

    def _listening(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def log_metrics(logger: Any, *args: Any, **named: Any) -> Any:
            try:
                result = original(logger, *args, **named)
            except BaseException as error:
                leave_no_frame(error)
                raise
            try:
                metrics = args[0] if args else named.get("metrics")
                if isinstance(metrics, Mapping):
                    self._take(metrics)
            except Exception as error:  # noqa: BLE001  # fail open
                self._trouble(error)
            return result

        return log_metrics


def numbers_among(metrics: Mapping[str, Any], tensor_class: Any) -> dict[str, Any]:
    """Those that are one number each; of a tensor a copy, as the program may go on changing its own."""
    found: dict[str, Any] = {}
    for name, value in metrics.items():
        if isinstance(value, tensor_class):
            tensor = plain_tensor(value, tensor_class)
            if tensor is not None and tensor.numel() == 1 and not tensor.is_complex():
                found[str(name)] = tensor.detach().clone()
        elif isinstance(value, numbers.Real) and not isinstance(value, bool):
            found[str(name)] = value
        elif getattr(value, "shape", None) == () and getattr(value, "dtype", None) is not None:
            with contextlib.suppress(TypeError, ValueError):  # an array without dimensions, of numbers or of something
                found[str(name)] = float(value)
    return found
