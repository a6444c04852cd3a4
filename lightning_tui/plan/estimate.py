"""How much memory does each GPU need, under each strategy and precision? Pure arithmetic on what a probe measured.

What one device needs for a whole step is known from the probe (`training_step`); the strategies divide it (`sharding`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from lightning_tui.plan.probe import ProgramProbe
from lightning_tui.plan.setting import Setting
from lightning_tui.plan.sharding import sharding, shares
from lightning_tui.plan.training_step import SCALES, counted_step, measured_step

Fits = Literal["fits", "tight", "too large", "unknown"]
Method = Literal["fake tensors", "formula", "unknown"]

GIB = 1 << 30
OVERHEAD = 1 * GIB
"""Upper limit taken for what a process holds outside of tensors: the CUDA context, libraries, NCCL's buffers."""

MARGIN = 1.1
"""For what the GPU's allocator rounds up and cannot reuse, and for work space of its libraries."""

_CALIBRATED_MARGIN = 1.03

_ALWAYS_OMITTED = (
    "workspace of GPU libraries",
    "fragmentation beyond 10 %",
    "validation",
    "other programs on the GPU",
)


class Calibration(msgspec.Struct, frozen=True):
    """The peak of allocated bytes on one GPU in an earlier run of the program, and how that ran."""

    peak: int
    setting: Setting


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that each GPU needs, as a range; `None` where that is not known."""

    strategy: str
    precision: str
    devices: int
    low: int | None = None
    high: int | None = None
    fits: Fits = "unknown"
    method: Method = "unknown"
    parts: tuple[tuple[str, int], ...] = ()
    """What the upper end is made of, largest first, without margin and overhead."""
    omits: tuple[str, ...] = ()
    """What the range does not hold, in words."""


def estimate(
    probe: ProgramProbe, setting: Setting, gpu_memory: int | None, calibration: Calibration | None = None
) -> Estimate:
    """Estimate the memory of each of the setting's GPUs; `gpu_memory` is the bytes of the smallest of them."""
    named = Estimate(strategy=setting.strategy, precision=setting.precision, devices=setting.devices)
    ends = _ends(probe, setting)
    if isinstance(ends, str):
        return msgspec.structs.replace(named, omits=(ends,))
    factor = _calibrated(probe, calibration)
    margin = MARGIN if factor is None else _CALIBRATED_MARGIN
    low = int(_total(ends.low) * (1.0 if factor is None else factor / _CALIBRATED_MARGIN))
    high = None if ends.high is None else int(_total(ends.high) * margin * (factor or 1.0)) + OVERHEAD
    return msgspec.structs.replace(
        named,
        low=low,
        high=high,
        fits=_fits(low, high, gpu_memory),
        method=ends.method,
        parts=tuple(
            (name, int(size)) for name, size in sorted(ends.high or ends.low, key=lambda p: -p[1]) if size >= 1
        ),
        omits=(*ends.omits, *_ALWAYS_OMITTED),
    )


def estimate_table(
    probe: ProgramProbe,
    setting: Setting,
    strategies: Sequence[str],
    precisions: Sequence[str],
    gpu_memory: int | None,
    calibration: Calibration | None = None,
) -> list[Estimate]:
    """Estimate every strategy with every precision, in the order given; all else is as in the setting."""
    return [
        estimate(probe, setting.under({"strategy": strategy, "precision": precision}), gpu_memory, calibration)
        for strategy in strategies
        for precision in precisions
    ]


class _Ends(msgspec.Struct, frozen=True, kw_only=True):
    """Parts of the range's two ends, without margins; `high` is `None` where there is no upper end."""

    low: list[tuple[str, float]]
    high: list[tuple[str, float]] | None
    method: Method
    omits: tuple[str, ...]


def _ends(probe: ProgramProbe, setting: Setting) -> _Ends | str:
    """The parts, or why there are none."""
    if setting.full_precision not in SCALES:
        return f"{setting.precision} cannot be estimated"
    measured = measured_step(probe, setting)
    steps = counted_step(probe, setting) if measured is None else (measured, measured)
    if steps is None:
        return "the program's parameters are not known"
    low, high = steps
    sharded = sharding(probe, setting, high or low)
    if sharded is None:
        return f"{setting.strategy} cannot be estimated"
    return _Ends(
        low=shares(low, sharded, upper=False),
        high=None if high is None else shares(high, sharded, upper=True),
        method="formula" if measured is None else "fake tensors",
        omits=(*(("activations",) if high is None else ()), *sharded.omits),
    )


def _calibrated(probe: ProgramProbe, calibration: Calibration | None) -> float | None:
    """How many times the estimate the earlier run needed; `None` where it says nothing, or cannot be this program."""
    if calibration is None:
        return None
    ends = _ends(probe, calibration.setting)
    if isinstance(ends, str) or ends.high is None:
        return None
    middle = (_total(ends.low) + _total(ends.high)) / 2
    factor = calibration.peak / middle if middle else 0.0
    return factor if 0.5 <= factor <= 2.0 else None


def _total(parts: Sequence[tuple[str, float]]) -> float:
    return sum(size for _, size in parts)


def _fits(low: int, high: int | None, gpu_memory: int | None) -> Fits:
    if gpu_memory is None:
        return "unknown"
    if low > gpu_memory:
        return "too large"
    if high is None:
        return "unknown"
    return "fits" if high <= gpu_memory else "tight"
