"""How much memory does each GPU need, under each strategy and precision? Pure arithmetic on what a probe measured.

What one device needs for a whole step is known from the probe. The strategies divide it:

- DDP keeps all of it on every GPU, and gradients once more in its buckets, unless these are views
  (`gradient_as_bucket_view` in PyTorch's documentation of DistributedDataParallel).
- FSDP and DeepSpeed divide states by the number of GPUs: ZeRO's equations (Rajbhandari et al., arXiv:1910.02054,
  section 5). Stage 1 divides the optimizer's states, stage 2 gradients too, stage 3 (FULL_SHARD) parameters too. What
  is computed on is whole meanwhile: FSDP gathers one unit and prefetches the next (PyTorch's documentation of it).
- DeepSpeed computes in 16 bit on copies of fp32 parameters (the K = 12 of ZeRO's table 1), and communicates in buckets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from lightning_tui.plan.probe import ForwardMeasurement, Measurement, ProgramProbe

Fits = Literal["fits", "tight", "too large", "unknown"]
Method = Literal["fake tensors", "formula", "unknown"]

GIB = 1 << 30
OVERHEAD = 1 * GIB
"""Upper limit taken for what a process holds outside of tensors: the CUDA context, libraries, NCCL's buffers."""

MARGIN = 1.1
"""For what the GPU's allocator rounds up and cannot reuse, and for work space of its libraries."""

_CALIBRATED_MARGIN = 1.03
_UNCOUNTED = 1.1
"""For what counting does not see: the batch, random masks, sums on the way."""

_DEEPSPEED_BUCKET = 200_000_000
"""Elements in each of the two buckets (`lightning/pytorch/strategies/deepspeed.py`, `*_bucket_size`)."""

_ALWAYS_OMITTED = (
    "work space of GPU libraries",
    "fragmentation beyond 10 %",
    "validation",
    "other programs on the GPU",
)
_PRECISIONS = {"32": "32-true", "16": "16-mixed", "bf16": "bf16-mixed", "64": "64-true"}


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """The peak of allocated bytes on one GPU in an earlier run of the program, and how that ran."""

    peak: int
    strategy: str
    precision: str
    devices: int
    batch_size: int | None = None
    activation_checkpointing: bool = False
    options: Mapping[str, object] = {}
    """Options of its strategy, as `estimate` takes them."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that each GPU needs, as a range; `None` where that is not known."""

    strategy: str
    precision: str
    devices: int
    low: int | None
    high: int | None
    fits: Fits
    method: Method
    parts: tuple[tuple[str, int], ...] = ()
    """What the upper end is made of, largest first, without margin and overhead."""
    omits: tuple[str, ...] = ()
    """What the range does not hold, in words."""


class Knob(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the plan that saves memory on each GPU."""

    text: str
    changes: dict[str, object]
    saves: int
    """Bytes, at the upper end."""


class _Step(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of one step on one device, nothing divided."""

    parameters: float
    gradients: float
    live_gradients: float
    """Those that are there when forward and backward need most; `gradients` are all of them."""
    optimizer: float
    activations: float
    temporary: float
    update: float


class _Layout(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy leaves of each state on one GPU, as a share, and what it adds, in bytes."""

    parameters: float = 1.0
    gradients: float = 1.0
    optimizer: float = 1.0
    added: tuple[tuple[str, float, float], ...] = ()
    """Name, lower and upper end."""
    omits: tuple[str, ...] = ()


def estimate(
    probe: ProgramProbe,
    *,
    strategy: str,
    precision: str,
    devices: int,
    gpu_memory: int | None,
    batch_size: int | None = None,
    activation_checkpointing: bool = False,
    calibration: Calibration | None = None,
    options: Mapping[str, object] | None = None,
) -> Estimate:
    """Estimate the memory of each of `devices` GPUs; `gpu_memory` is the bytes of the smallest of them.

    `batch_size` is for each device, the program's own where it is `None`. `options` are fields of a plan that bear on
    the strategy (`fsdp_*`, `ddp_gradient_as_bucket_view`, `deepspeed_*`).
    """
    raw = _raw(probe, strategy, precision, devices, batch_size, activation_checkpointing, options or {})
    if isinstance(raw, str):
        return Estimate(
            strategy=strategy,
            precision=precision,
            devices=devices,
            low=None,
            high=None,
            fits="unknown",
            method="unknown",
            omits=(raw,),
        )
    factor = _calibrated(probe, calibration)
    margin = MARGIN if factor is None else _CALIBRATED_MARGIN
    low = int(sum(size for _, size in raw.low) * (1.0 if factor is None else factor / _CALIBRATED_MARGIN))
    high = None if raw.high is None else int(sum(s for _, s in raw.high) * margin * (factor or 1.0)) + OVERHEAD
    return Estimate(
        strategy=strategy,
        precision=precision,
        devices=devices,
        low=low,
        high=high,
        fits=_fits(low, high, gpu_memory),
        method=raw.method,
        parts=tuple((name, int(size)) for name, size in sorted(raw.high or raw.low, key=lambda p: -p[1]) if size >= 1),
        omits=(*raw.omits, *_ALWAYS_OMITTED),
    )


def estimate_table(
    probe: ProgramProbe,
    strategies: Sequence[str],
    precisions: Sequence[str],
    devices: int,
    gpu_memory: int | None,
    *,
    batch_size: int | None = None,
    activation_checkpointing: bool = False,
    calibration: Calibration | None = None,
    options: Mapping[str, object] | None = None,
) -> list[Estimate]:
    """Estimate every strategy with every precision, in the order given."""
    return [
        estimate(
            probe,
            strategy=strategy,
            precision=precision,
            devices=devices,
            gpu_memory=gpu_memory,
            batch_size=batch_size,
            activation_checkpointing=activation_checkpointing,
            calibration=calibration,
            options=options,
        )
        for strategy in strategies
        for precision in precisions
    ]


def largest_batch(
    probe: ProgramProbe,
    *,
    strategy: str,
    precision: str,
    devices: int,
    gpu_memory: int | None,
    activation_checkpointing: bool = False,
    calibration: Calibration | None = None,
    options: Mapping[str, object] | None = None,
    most: int = 1 << 20,
) -> int | None:
    """Return the most samples on each device that fit for certain; 0 where not even one does, `None` if not known."""

    def fits(batch_size: int) -> bool:
        found = estimate(
            probe,
            strategy=strategy,
            precision=precision,
            devices=devices,
            gpu_memory=gpu_memory,
            batch_size=batch_size,
            activation_checkpointing=activation_checkpointing,
            calibration=calibration,
            options=options,
        )
        return found.fits == "fits"

    if gpu_memory is None or not _knows_batches(probe, precision, activation_checkpointing):
        return None
    low, high = 0, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def knobs(
    probe: ProgramProbe,
    *,
    strategy: str,
    precision: str,
    devices: int,
    batch_size: int | None = None,
    accumulate_grad_batches: int = 1,
    activation_checkpointing: bool = False,
    calibration: Calibration | None = None,
    options: Mapping[str, object] | None = None,
) -> list[Knob]:
    """List the single changes that save memory under this plan, the one that saves most first."""
    size = batch_size or probe.batch_size
    given = dict(options or {})

    def high(changes: Mapping[str, object]) -> int | None:
        plan = {"strategy": strategy, "precision": precision, "batch_size": size, **given, **changes}
        return estimate(
            probe,
            strategy=str(plan["strategy"]),
            precision=str(plan["precision"]),
            devices=devices,
            gpu_memory=None,
            batch_size=plan["batch_size"] if isinstance(plan["batch_size"], int) else None,
            activation_checkpointing=activation_checkpointing or "activation_checkpointing" in changes,
            calibration=calibration,
            options=plan,
        ).high

    before = high({})
    if before is None:
        return []
    found = []
    for text, changes in _possible_knobs(
        probe, strategy, precision, devices, size, accumulate_grad_batches, activation_checkpointing
    ):
        after = high(changes)
        if after is not None and after < before:
            found.append(Knob(text=text, changes=changes, saves=before - after))
    return sorted(found, key=lambda knob: -knob.saves)


def _possible_knobs(
    probe: ProgramProbe,
    strategy: str,
    precision: str,
    devices: int,
    batch_size: int | None,
    accumulate_grad_batches: int,
    activation_checkpointing: bool,
) -> list[tuple[str, dict[str, object]]]:
    blocks = [block.kind for block in probe.blocks]
    found: list[tuple[str, dict[str, object]]] = []
    if _full_name(precision) in ("32-true", "64-true"):
        found.append(("compute in bf16-mixed", {"precision": "bf16-mixed"}))
    if blocks and not activation_checkpointing:
        found.append((f"checkpoint activations of {', '.join(blocks)}", {"activation_checkpointing": blocks}))
    if batch_size is not None and batch_size > 1 and batch_size % 2 == 0:
        half: dict[str, object] = {
            "batch_size": batch_size // 2,
            "accumulate_grad_batches": 2 * accumulate_grad_batches,
        }
        found.append((f"batches of {batch_size // 2}, twice as many accumulated", half))
    if devices > 1 and not strategy.startswith(("fsdp", "deepspeed")):
        sharded: dict[str, object] = {"strategy": "fsdp"}
        if blocks:
            sharded["fsdp_wrap_classes"] = blocks
        found.append((f"divide states among {devices} GPUs with FSDP", sharded))
    # These save nothing, and are then left out, where the strategy is another or where they are set already.
    found.append(("let gradients be views of DDP's buckets", {"ddp_gradient_as_bucket_view": True}))
    if blocks:
        found.append((f"gather {', '.join(blocks)} one at a time", {"fsdp_wrap_classes": blocks}))
    return found


# --- One device -------------------------------------------------------------------------------------------------------


class _Raw(msgspec.Struct, frozen=True, kw_only=True):
    """Parts of the range's two ends, without margins; `high` is `None` where there is no upper end."""

    low: list[tuple[str, float]]
    high: list[tuple[str, float]] | None
    method: Method
    omits: tuple[str, ...]


def _raw(
    probe: ProgramProbe,
    strategy: str,
    precision: str,
    devices: int,
    batch_size: int | None,
    checkpointing: bool,
    options: Mapping[str, object],
) -> _Raw | str:
    """The parts, or why there are none."""
    name = _full_name(precision)
    if name not in _SCALES:
        return f"{precision} is not estimated"
    measured = _measured(probe, name, batch_size, checkpointing)
    ends = _formula(probe, name, batch_size, checkpointing) if measured is None else (measured, measured)
    if ends is None:
        return "the program's parameters are not known"
    low, high = ends
    method: Method = "formula" if measured is None else "fake tensors"
    omits = ("activations",) if high is None else ()
    layout = _layout(probe, strategy, name, devices, options, high or low)
    if layout is None:
        return f"{strategy} is not estimated"
    return _Raw(
        low=_parts(low, layout, upper=False),
        high=None if high is None else _parts(high, layout, upper=True),
        method=method,
        omits=(*omits, *layout.omits),
    )


_SCALES = {"32-true": 1.0, "bf16-mixed": 1.0, "16-mixed": 1.0, "bf16-true": 0.5, "16-true": 0.5, "64-true": 2.0}
"""Bytes of each number against what was measured: at 32-true, mixed ones at bf16-mixed."""


def _measured(probe: ProgramProbe, precision: str, batch_size: int | None, checkpointing: bool) -> _Step | None:
    """The step by measurements at two batch sizes: everything grows linearly with the batch."""
    points = _points(probe, precision, checkpointing)
    wanted = batch_size or probe.batch_size
    exact = [m for m in points if m.batch_size == wanted or wanted is None]
    if exact:
        step = _step_of(exact[0], probe)
    elif len(points) > 1 and wanted is not None:
        step = _between(points[0], points[1], wanted, probe)
    else:
        return None
    return _scaled(step, _SCALES[precision])


def _points(probe: ProgramProbe, precision: str, checkpointing: bool) -> list[Measurement]:
    measured_as = "bf16-mixed" if precision.endswith("-mixed") else "32-true"
    return [m for m in probe.measurements if m.precision == measured_as and m.activation_checkpointing == checkpointing]


def _knows_batches(probe: ProgramProbe, precision: str, checkpointing: bool) -> bool:
    return len(_points(probe, _full_name(precision), checkpointing)) > 1 or any(f.batch_size for f in probe.forwards)


def _step_of(measurement: Measurement, probe: ProgramProbe) -> _Step:
    return _Step(
        parameters=measurement.parameters,
        gradients=max(_gradient_bytes(probe), measurement.gradients),
        live_gradients=measurement.gradients,
        optimizer=measurement.optimizer,
        activations=measurement.activations,
        temporary=measurement.temporary,
        update=measurement.update,
    )


def _between(one: Measurement, other: Measurement, batch_size: int, probe: ProgramProbe) -> _Step:
    first, second = _step_of(one, probe), _step_of(other, probe)
    share = (batch_size - (one.batch_size or 0)) / max(1, (other.batch_size or 0) - (one.batch_size or 0))
    values = {
        name: max(0.0, getattr(first, name) + share * (getattr(second, name) - getattr(first, name)))
        for name in ("activations", "temporary", "update")
    }
    # Whether old gradients are still there at the peak changes with the batch: the safe end is that they are.
    live = max(first.live_gradients, second.live_gradients)
    return msgspec.structs.replace(first, live_gradients=live, **values)


def _scaled(step: _Step, scale: float) -> _Step:
    return _Step(**{name: getattr(step, name) * scale for name in _Step.__struct_fields__})


def _gradient_bytes(probe: ProgramProbe) -> float:
    if not probe.parameters or probe.parameter_bytes is None:
        return 0.0
    return probe.parameter_bytes * (probe.trainable or 0) / probe.parameters


def _formula(
    probe: ProgramProbe, precision: str, batch_size: int | None, checkpointing: bool
) -> tuple[_Step, _Step | None] | None:
    """Both ends by counting: states exactly, activations from what a real forward pass left for backward.

    Forward leaves those to the end, when the gradients of the step before are still there. Backward makes gradients of
    activations on its way; the update makes up to one tensor for each parameter.
    """
    if probe.parameters is None or probe.parameter_bytes is None:
        return None
    trainable = _gradient_bytes(probe)
    state = 8.0 if probe.optimizer_bytes_per_parameter is None else probe.optimizer_bytes_per_parameter
    low = _Step(
        parameters=probe.parameter_bytes + (probe.buffer_bytes or 0),
        gradients=trainable,
        live_gradients=0.0,
        optimizer=state * (probe.trainable or 0),
        activations=0.0,
        temporary=0.0,
        update=0.0,
    )
    scale = _SCALES[precision]
    saved = _saved(probe, precision, batch_size or probe.batch_size)
    if saved is None:
        return _scaled(low, scale), None
    checkpointed = 0.1 if checkpointing else 1.0  # the ends of blocks at least; at most all, where no block is known
    lower = msgspec.structs.replace(low, activations=saved[0] * 0.9 * checkpointed)
    upper = msgspec.structs.replace(
        low, live_gradients=trainable, activations=saved[1], temporary=saved[1] * 0.5, update=trainable
    )
    return _scaled(lower, scale), _scaled(upper, scale * _UNCOUNTED)


def _saved(probe: ProgramProbe, precision: str, batch_size: int | None) -> tuple[float, float] | None:
    """What a forward pass saves at a batch size, as a range in bytes."""
    measured_as = _measured_as(precision)
    same = _line([f for f in probe.forwards if f.precision == measured_as], batch_size)
    if same is not None:
        return same, same
    full = _line([f for f in probe.forwards if f.precision == "32-true"], batch_size)
    # In 16 bit, between half of an activation and all of it, and a copy of each weight.
    return None if full is None else (full / 2, full + (probe.parameter_bytes or 0) / 2)


def _line(passes: list[ForwardMeasurement], batch_size: int | None) -> float | None:
    """Follow the line through two passes, or through one and nothing."""
    known = [f for f in passes if f.batch_size]
    if batch_size is None or not known:
        return float(passes[0].saved) if passes else None
    if len(known) == 1:
        return known[0].saved * batch_size / (known[0].batch_size or 1)
    (x, y), (x2, y2) = ((f.batch_size or 0, f.saved) for f in known[:2])
    return max(0.0, y + (batch_size - x) * (y2 - y) / (x2 - x))


def _measured_as(precision: str) -> str:
    return "bf16-mixed" if precision.endswith("-mixed") else "32-true"


def _full_name(precision: str) -> str:
    return _PRECISIONS.get(precision, precision)


# --- Many devices -----------------------------------------------------------------------------------------------------


def _parts(step: _Step, layout: _Layout, *, upper: bool) -> list[tuple[str, float]]:
    """What is there at the worst moment: in forward and backward, or in the optimizer's update."""
    states = [
        ("parameters", step.parameters * layout.parameters),
        ("optimizer", step.optimizer * layout.optimizer),
    ]
    added = [(name, high if upper else low) for name, low, high in layout.added]
    computing = [
        ("gradients", step.live_gradients * layout.gradients),
        ("activations", step.activations),
        ("temporary", step.temporary),
    ]
    updating = [
        ("gradients", step.gradients * layout.gradients),
        ("update", step.update * layout.optimizer),
    ]
    worst = max(computing, updating, key=lambda parts: sum(size for _, size in parts))
    return [*states, *worst, *added]


def _layout(
    probe: ProgramProbe, strategy: str, precision: str, devices: int, options: Mapping[str, object], step: _Step
) -> _Layout | None:
    if strategy in ("auto", "single_device"):
        return _Layout() if devices == 1 or strategy == "single_device" else _ddp(step, options)
    if strategy.startswith("ddp"):
        return _ddp(step, options)
    if strategy.startswith("fsdp"):
        return _fsdp(probe, strategy, precision, devices, options, step)
    if strategy.startswith("deepspeed"):
        return _deepspeed(probe, strategy, precision, devices, options, step)
    return None


def _ddp(step: _Step, options: Mapping[str, object]) -> _Layout:
    buckets = 0.0 if options.get("ddp_gradient_as_bucket_view") else step.gradients
    return _Layout(added=(("gradient buckets", buckets, buckets),))


def _fsdp(
    probe: ProgramProbe,
    strategy: str,
    precision: str,
    devices: int,
    options: Mapping[str, object],
    step: _Step,
) -> _Layout:
    sharding = options.get("fsdp_sharding_strategy") or "FULL_SHARD"
    if sharding == "NO_SHARD":
        return _ddp(step, options)
    width = 0.5 if precision.endswith("-mixed") else 1.0  # it gathers, and reduces, in the precision of computing
    whole = (step.parameters + step.gradients) * width
    low = high = whole
    omits: tuple[str, ...] = ()
    largest = max((block.parameters for block in probe.blocks), default=0)
    if largest and probe.parameters and sharding != "SHARD_GRAD_OP":
        # The unit that is computed on and the one that is fetched meanwhile, and gradients of one.
        unit = (2 * step.parameters + step.gradients) * width * largest / probe.parameters
        rest = step.parameters * width * _share_outside_blocks(probe)
        low = min(whole, unit + rest)
        if options.get("fsdp_wrap_classes") or options.get("fsdp_wrap_min_params"):
            high = low
        else:
            omits = ("the upper end gathers the whole model at once: fsdp_wrap_classes makes smaller units",)
    share = 1 / devices
    if strategy.endswith("cpu_offload") or options.get("fsdp_cpu_offload"):
        share = 0.0
    return _Layout(
        parameters=share, gradients=share, optimizer=share, added=(("gathered units", low, high),), omits=omits
    )


def _share_outside_blocks(probe: ProgramProbe) -> float:
    inside = sum(block.count * block.parameters for block in probe.blocks)
    return max(0.0, 1 - inside / (probe.parameters or 1))


def _deepspeed(
    probe: ProgramProbe,
    strategy: str,
    precision: str,
    devices: int,
    options: Mapping[str, object],
    step: _Step,
) -> _Layout | None:
    stage = _stage(strategy, options)
    if stage is None:
        return None
    is_16_bit = precision not in ("32-true", "64-true")
    # Measured states are fp32 under mixed precision, and halved already under a true one.
    copy = 0.5 if precision.endswith("-mixed") else 1.0
    offloads_optimizer = "offload" in strategy or bool(options.get("deepspeed_offload_optimizer"))
    offloads_parameters = stage == 3 and ("offload" in strategy or bool(options.get("deepspeed_offload_parameters")))
    optimizer = 0.0 if offloads_optimizer else 1 / devices if stage >= 1 else 1.0
    gradients = copy * (0.0 if offloads_optimizer else 1 / devices if stage >= 2 else 1.0)
    parameters = copy * (0.0 if offloads_parameters else 1 / devices if stage == 3 else 1.0)
    masters = 4.0 * (probe.trainable or 0) * optimizer if is_16_bit else 0.0
    bucket = min(_DEEPSPEED_BUCKET, probe.trainable or 0) * (2.0 if is_16_bit else 4.0)
    added = [("fp32 parameters", masters, masters), ("communication buckets", bucket, 2 * bucket)]
    if stage == 3:
        whole = (step.parameters + step.gradients) * copy
        largest = max((block.parameters for block in probe.blocks), default=0) / (probe.parameters or 1)
        added.append(("gathered parameters", min(whole, 2 * whole * (largest or 1)), whole))
    if is_16_bit and not precision.endswith("-mixed"):
        optimizer *= 2  # its states stay fp32
    return _Layout(parameters=parameters, gradients=gradients, optimizer=optimizer, added=tuple(added))


def _stage(strategy: str, options: Mapping[str, object]) -> int | None:
    given = options.get("deepspeed_stage")
    if isinstance(given, int):
        return given
    rest = strategy.removeprefix("deepspeed").removeprefix("_stage_")
    if not rest:
        return 2  # Lightning's default
    return int(rest[0]) if rest[0] in "123" else None


# --- Verdict ----------------------------------------------------------------------------------------------------------


def _calibrated(probe: ProgramProbe, calibration: Calibration | None) -> float | None:
    """How many times the estimate the earlier run needed; `None` where it says nothing, or cannot be this program."""
    if calibration is None:
        return None
    raw = _raw(
        probe,
        calibration.strategy,
        calibration.precision,
        calibration.devices,
        calibration.batch_size,
        calibration.activation_checkpointing,
        calibration.options,
    )
    if isinstance(raw, str) or raw.high is None:
        return None
    middle = (sum(size for _, size in raw.low) + sum(size for _, size in raw.high)) / 2
    factor = calibration.peak / middle if middle else 0.0
    return factor if 0.5 <= factor <= 2.0 else None


def _fits(low: int, high: int | None, gpu_memory: int | None) -> Fits:
    if gpu_memory is None:
        return "unknown"
    if low > gpu_memory:
        return "too large"
    if high is None:
        return "unknown"
    return "fits" if high <= gpu_memory else "tight"
