"""What does a training step need on one device? Measured on fake tensors, else counted by a formula."""

from __future__ import annotations

import msgspec

from lightning_tui.plan.probe import ForwardMeasurement, Measurement, ProgramProbe
from lightning_tui.plan.setting import Setting

_UNCOUNTED = 1.1
"""For what counting does not see: the batch, random masks, sums on the way."""

SCALES = {"32-true": 1.0, "bf16-mixed": 1.0, "16-mixed": 1.0, "bf16-true": 0.5, "16-true": 0.5, "64-true": 2.0}
"""By precision that is estimated: bytes of each number against what was measured, at 32-true or at bf16-mixed."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of one step on one device, nothing divided."""

    parameters: float
    gradients: float
    live_gradients: float
    """Those that are there when forward and backward need most; `gradients` are all of them."""
    optimizer: float
    activations: float
    temporary: float
    update: float


def measured_step(probe: ProgramProbe, setting: Setting) -> Step | None:
    """The step by measurements at two batch sizes: everything grows linearly with the batch."""
    points = _points(probe, setting)
    wanted = setting.batch_size or probe.batch_size
    exact = [m for m in points if m.batch_size == wanted or wanted is None]
    if exact:
        step = _step_of(exact[0], probe)
    elif len(points) > 1 and wanted is not None:
        step = _between(points[0], points[1], wanted, probe)
    else:
        return None
    return _scaled(step, SCALES[setting.full_precision])


def _points(probe: ProgramProbe, setting: Setting) -> list[Measurement]:
    wanted = (_measured_as(setting), setting.activation_checkpointing)
    return [m for m in probe.measurements if (m.precision, m.activation_checkpointing) == wanted]


def knows_batches(probe: ProgramProbe, setting: Setting) -> bool:
    """Whether it is known how the step grows with the batch."""
    return len(_points(probe, setting)) > 1 or any(f.batch_size for f in probe.forwards)


def _step_of(measurement: Measurement, probe: ProgramProbe) -> Step:
    return Step(
        parameters=measurement.parameters,
        gradients=max(_gradient_bytes(probe), measurement.gradients),
        live_gradients=measurement.gradients,
        optimizer=measurement.optimizer,
        activations=measurement.activations,
        temporary=measurement.temporary,
        update=measurement.update,
    )


def _between(one: Measurement, other: Measurement, batch_size: int, probe: ProgramProbe) -> Step:
    first, second = _step_of(one, probe), _step_of(other, probe)
    share = (batch_size - (one.batch_size or 0)) / max(1, (other.batch_size or 0) - (one.batch_size or 0))
    values = {
        name: max(0.0, getattr(first, name) + share * (getattr(second, name) - getattr(first, name)))
        for name in ("activations", "temporary", "update")
    }
    # Whether old gradients are still there at the peak changes with the batch: the safe end is that they are.
    live = max(first.live_gradients, second.live_gradients)
    return msgspec.structs.replace(first, live_gradients=live, **values)


def _scaled(step: Step, scale: float) -> Step:
    return Step(**{name: getattr(step, name) * scale for name in Step.__struct_fields__})


def _gradient_bytes(probe: ProgramProbe) -> float:
    if not probe.parameters or probe.parameter_bytes is None:
        return 0.0
    return probe.parameter_bytes * (probe.trainable or 0) / probe.parameters


def counted_step(probe: ProgramProbe, setting: Setting) -> tuple[Step, Step | None] | None:
    """Both ends by counting: states exactly, activations from what a real forward pass left for backward.

    Forward leaves those to the end, when the gradients of the step before are still there. Backward makes gradients of
    activations on its way; the update makes up to one tensor for each parameter.
    """
    if probe.parameters is None or probe.parameter_bytes is None:
        return None
    trainable = _gradient_bytes(probe)
    state = 8.0 if probe.optimizer_bytes_per_parameter is None else probe.optimizer_bytes_per_parameter
    low = Step(
        parameters=probe.parameter_bytes + (probe.buffer_bytes or 0),
        gradients=trainable,
        live_gradients=0.0,
        optimizer=state * (probe.trainable or 0),
        activations=0.0,
        temporary=0.0,
        update=0.0,
    )
    scale = SCALES[setting.full_precision]
    saved = _saved(probe, setting)
    if saved is None:
        return _scaled(low, scale), None
    checkpointed = (
        0.1 if setting.activation_checkpointing else 1.0
    )  # the ends of blocks at least; at most all, where no block is known
    lower = msgspec.structs.replace(low, activations=saved[0] * 0.9 * checkpointed)
    upper = msgspec.structs.replace(
        low, live_gradients=trainable, activations=saved[1], temporary=saved[1] * 0.5, update=trainable
    )
    return _scaled(lower, scale), _scaled(upper, scale * _UNCOUNTED)


def _saved(probe: ProgramProbe, setting: Setting) -> tuple[float, float] | None:
    """What a forward pass saves, as a range in bytes."""
    batch_size = setting.batch_size or probe.batch_size
    same = _line([f for f in probe.forwards if f.precision == _measured_as(setting)], batch_size)
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


def _measured_as(setting: Setting) -> str:
    return "bf16-mixed" if setting.is_mixed else "32-true"
