"""Set the learning rate of a training that runs, and say what its schedulers will make of that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_SETS_ANEW = ("OneCycleLR", "CyclicLR")
"""Compute each rate from bounds of their own, whatever stands in the optimizer."""
_SCALED = ("LambdaLR", "CosineAnnealingWarmRestarts")
"""Compute each rate from the base rate."""
_GO_ON = (
    "StepLR",
    "MultiStepLR",
    "ExponentialLR",
    "MultiplicativeLR",
    "ConstantLR",
    "LinearLR",
    "PolynomialLR",
    "CosineAnnealingLR",
    "ReduceLROnPlateau",
    "SWALR",
)
"""Compute each rate from the one before."""


class NoGroupError(Exception):
    """There is no such parameter group; the message says which there are."""


def set_rates(trainer: Any, value: float, group: int | None) -> str:
    """Set the rate of all parameter groups, or of one by its number over all optimizers, and say what was done.

    A scheduler's base rate is scaled as the rate is, so that its shape goes on from the new rate where it can.

    Raises:
        NoGroupError: there is no such group.
    """
    groups = [(optimizer, place) for optimizer in trainer.optimizers for place in range(len(optimizer.param_groups))]
    if not groups or (group is not None and not 0 <= group < len(groups)):
        raise NoGroupError(_no_such_group(group, len(groups)))
    schedulers = list(_schedulers(trainer))
    before = []
    for optimizer, place in groups if group is None else groups[group : group + 1]:
        before.append(_set_rate(optimizer.param_groups[place], value))
        for scheduler in schedulers:
            if _drives(scheduler, optimizer):
                _update_scheduler(scheduler, place, value, before[-1])
    which = f"group {group}" if group is not None else "1 group" if len(groups) == 1 else f"{len(groups)} groups"
    said = [f"lr {_rates_text(before)} -> {value:g} in {which}", *dict.fromkeys(map(_will_do, schedulers))]
    return "; ".join(said)


def _no_such_group(group: int | None, count: int) -> str:
    if not count:
        return "the training has no optimizer"
    there_are = "only group 0" if count == 1 else f"groups 0 to {count - 1}"
    return f"there is no parameter group {group}: the optimizers have {there_are}"


def _set_rate(group: dict[str, Any], value: float) -> float:
    """Set it in the form that it has, a number or a tensor, and return the one before."""
    before = float(group["lr"])
    for name in ("lr", "initial_lr"):
        if name in group:
            wanted = value if name == "lr" else _scaled(float(group[name]), value, before)
            if hasattr(group[name], "fill_"):
                group[name].fill_(wanted)
            else:
                group[name] = wanted
    return before


def _update_scheduler(scheduler: Any, place: int, value: float, before: float) -> None:
    """Let the scheduler believe that it was so from the beginning."""
    bases = getattr(scheduler, "base_lrs", None)
    if isinstance(bases, list) and place < len(bases):
        bases[place] = _scaled(float(bases[place]), value, before)
    lasts = getattr(scheduler, "_last_lr", None)
    if isinstance(lasts, list) and place < len(lasts):
        lasts[place] = value


def _scaled(base: float, value: float, before: float) -> float:
    return base * value / before if base and before else value


def _schedulers(trainer: Any) -> Iterator[Any]:
    """All of them, and those inside of chained and sequential ones."""
    waiting = [config.scheduler for config in trainer.lr_scheduler_configs]
    while waiting:
        scheduler = waiting.pop(0)
        yield scheduler
        waiting += getattr(scheduler, "_schedulers", [])


def _drives(scheduler: Any, optimizer: Any) -> bool:
    """Whether it is this optimizer's; strategies wrap optimizers, and share the groups."""
    own = getattr(scheduler, "optimizer", None)
    return own is optimizer or getattr(own, "param_groups", None) is optimizer.param_groups


def _will_do(scheduler: Any) -> str:
    name = type(scheduler).__name__
    if hasattr(scheduler, "_schedulers"):
        return f"{name} leaves it to the schedulers it consists of"
    if name in _SETS_ANEW:
        return f"{name} sets it again at its next step"
    if name in _SCALED:
        return f"{name} scales all its values with it"
    if name in _GO_ON:
        return f"{name} continues from it"
    return f"{name} may set it again at its next step"


def _rates_text(rates: list[float]) -> str:
    return ", ".join(f"{rate:g}" for rate in dict.fromkeys(rates))
