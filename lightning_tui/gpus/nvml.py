"""How NVML (nvidia-ml-py) answers, and which of its errors mean what."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

ValueT = TypeVar("ValueT")


def answer(nvml: ModuleType, call: Callable[..., ValueT], *arguments: Any) -> ValueT | None:
    """Make one call; `None` where it fails, for whatever reason."""
    try:
        return call(*arguments)
    except nvml.NVMLError:
        return None


def as_text(value: str | bytes) -> str:
    """Text of the driver's; older bindings give bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value
