"""Collect metrics as tensors, step by step, and make numbers of all of them at once, when they are written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ..process.events import number

POINTS_PER_FLUSH = 32
"""At most about so many steps between two flushes are kept of each metric; steps of 8 ms and more are kept all."""

LOSS = "loss"
_MOST_RATES = 16

_IS_LR = re.compile(r"(?:^|[^a-z])lr(?:[^a-z]|$)|learning.?rate", re.IGNORECASE)

Series = dict[str, dict[str, list[Any]]]


class MetricBuffer:
    """What was measured since the last flush. Nothing here makes the host wait for the device until `take`."""

    def __init__(self, tensor_class: Any, *, only_step_loss: bool) -> None:
        """Collect values of this very class. `only_step_loss`: of what is logged, keep each step's loss alone."""
        self._tensor_class = tensor_class
        self._only_step_loss = only_step_loss
        self._points: dict[str, list[tuple[int, Any]]] = {}
        self._losses: list[tuple[int, Any]] = []
        self._last: dict[str, tuple[int, Any, int]] = {}
        self._steps_seen = 0
        self._stride = 1
        self.logs_loss = False
        """Whether the script logs a loss of its own at each step; then the one it returned is not shown beside it."""
        self.logs_lr = False

    def is_kept(self) -> bool:
        """Whether this step's values are to be kept. Ask once a step."""
        self._steps_seen += 1
        return self._steps_seen % self._stride == 0

    def add_loss(self, step: int, outputs: Any) -> None:
        """Keep the loss that the training step returned; of the batches of one optimizer step, the last counts."""
        loss = plain_tensor(outputs.get("loss") if isinstance(outputs, dict) else None, self._tensor_class)
        if loss is not None and loss.numel() == 1:
            _put(self._losses, step, loss)

    def add_logged(self, step: int, logged: dict[str, Any], *, each_step: bool) -> None:
        """Keep those of Lightning's logged metrics that are new since the last look."""
        for name, logged_value in list(logged.items()):
            value = plain_tensor(logged_value, self._tensor_class)
            if value is None or value.numel() != 1 or _is_double(name, logged):
                continue
            last = self._last.get(name)
            address = value.data_ptr()
            # Lightning hands out a fresh view at each look. The last one is held, so its address is not reused.
            if last is not None and (last[2] == address or last[0] == step):
                continue
            self._last[name] = (step, value, address)
            is_step_loss = each_step and LOSS in name.lower()
            if self._only_step_loss and not is_step_loss:
                continue
            self._points.setdefault(name, []).append((step, value))
            self.logs_loss |= is_step_loss
            self.logs_lr |= _IS_LR.search(name) is not None

    def add_direct(self, name: str, step: int, value: Any) -> None:
        """Keep a value that did not come through Lightning's log; of very many, every second one."""
        if name in self._last:
            return
        column = self._points.setdefault(name, [])
        if len(column) >= 2 * POINTS_PER_FLUSH:
            del column[1::2]
        _put(column, step, value)
        self.logs_lr |= _IS_LR.search(name) is not None

    def add_value(self, name: str, step: int, value: Any) -> None:
        """Keep a plain number, or a tensor that holds one."""
        _put(self._points.setdefault(name, []), step, value)

    def take(self) -> Series:
        """Turn everything into numbers, with one wait per device, and forget it."""
        points, losses = self._points, self._losses
        self._points, self._losses = {}, []
        if losses and not self.logs_loss:
            points[LOSS] = losses
        self._stride = max(1, self._steps_seen // POINTS_PER_FLUSH)
        self._steps_seen = 0
        values = _as_numbers([value for column in points.values() for _, value in column])
        return {
            name: {"steps": [step for step, _ in column], "values": [number(next(values)) for _ in column]}
            for name, column in points.items()
        }


def plain_tensor(value: Any, tensor_class: Any) -> Any:
    """The value as a tensor of this very class, `None` where it is none.

    A subclass with data of its own (MONAI's MetaTensor, a Parameter) is taken without what it adds. One that
    dispatches (DTensor, fake tensors) is none: to read it may call other ranks.
    """
    if type(value) is tensor_class:
        return value
    if not isinstance(value, tensor_class) or type(value).__torch_dispatch__ is not tensor_class.__torch_dispatch__:
        return None
    import torch

    with torch._C.DisableTorchFunctionSubclass():
        return value.detach().as_subclass(tensor_class)


def _put(column: list[tuple[int, Any]], step: int, value: Any) -> None:
    if column and column[-1][0] == step:
        column[-1] = (step, value)
    else:
        column.append((step, value))


def _is_double(name: str, logged: dict[str, Any]) -> bool:
    """Whether no logger shows this name: what is logged both on step and on epoch, Lightning keeps under three names,
    the same value under two of them, and gives loggers the two that end in `_step` and `_epoch`."""
    plain, slash, number = name.partition("/dataloader_idx_")
    value = logged[name]
    return any(logged.get(f"{plain}{ending}{slash}{number}") is value for ending in ("_step", "_epoch"))


def _as_numbers(values: list[Any]) -> Any:
    import torch

    numbers: list[float] = [0.0] * len(values)
    places_by_device: dict[Any, list[int]] = {}
    for place, value in enumerate(values):
        if isinstance(value, torch.Tensor):
            places_by_device.setdefault(value.device, []).append(place)
        else:
            numbers[place] = float(value)
    with torch.no_grad():
        for places in places_by_device.values():
            stacked = torch.stack([values[place].reshape(()) for place in places])
            for place, value in zip(places, stacked.cpu().tolist(), strict=True):
                numbers[place] = float(value)
    return iter(numbers)


def learning_rates(optimizers: Iterable[Any]) -> dict[str, Any]:
    """Learning rate of each parameter group: `lr`, and `lr-1`, `lr-2`... for those that differ from the first."""
    rates = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups if "lr" in group]
    return {
        "lr" if i == 0 else f"lr-{i}": rate
        for i, rate in enumerate(rates[:_MOST_RATES])
        if i == 0 or not _same(rate, rates[0])
    }


def _same(a: Any, b: Any) -> bool:
    return a is b or (isinstance(a, float) and isinstance(b, float) and a == b)
