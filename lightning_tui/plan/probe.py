"""What would a program train? The facts that its probe brought back; what is not known is `None`."""

from __future__ import annotations

import msgspec


class ModuleFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One of the modules that the model is directly made of."""

    name: str
    kind: str
    parameters: int


class BlockFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A class of modules that the model repeats: a candidate for FSDP's units and for activation checkpoints."""

    kind: str
    path: str
    """Module and class, `package.model.Block`."""
    count: int
    parameters: int
    """Of one such block, the largest."""


class TensorFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One tensor of a batch; `name` says where it stands in it: `[0]`, `['image']`."""

    name: str
    shape: tuple[int, ...]
    dtype: str


class LoaderFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The loader of the training data, as the program made it."""

    kind: str
    batches: int | None = None
    """Batches in an epoch, for one device."""
    samples: int | None = None
    num_workers: int | None = None
    pin_memory: bool | None = None
    persistent_workers: bool | None = None
    prefetch_factor: int | None = None
    drop_last: bool | None = None
    shuffle: bool | None = None


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that one step on one device needs, measured on fake tensors.

    The categories stand for the moment of forward and backward when most is needed; `peak` is that of the whole step,
    the optimizer's update included.
    """

    precision: str
    batch_size: int | None
    """Samples; `None` where the batch's tensors have no dimension in common."""
    peak: int
    parameters: int
    """With buffers."""
    gradients: int
    optimizer: int
    activations: int
    """What forward leaves for backward, and the batch."""
    temporary: int
    update: int
    """What the optimizer needs during its update besides parameters, gradients and its state."""
    activation_checkpointing: bool = False


class ForwardMeasurement(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that a real forward pass left for backward."""

    precision: str
    batch_size: int | None
    saved: int


class ProgramProbe(msgspec.Struct, frozen=True, kw_only=True):
    """What a program would train."""

    parameters: int | None = None
    trainable: int | None = None
    parameter_bytes: int | None = None
    buffer_bytes: int | None = None
    dtypes: tuple[str, ...] = ()
    """Of the parameters."""
    modules: tuple[ModuleFacts, ...] = ()
    blocks: tuple[BlockFacts, ...] = ()
    """The largest part of the model first."""
    optimizer: str | None = None
    """Class name; several with commas."""
    optimizer_bytes_per_parameter: float | None = None
    """State for each trainable parameter: 8 for Adam at 32-true."""
    automatic_optimization: bool = True
    batch_size: int | None = None
    batch: tuple[TensorFacts, ...] = ()
    loader: LoaderFacts | None = None
    trainer: dict[str, object] = {}
    """What the script itself passes to its Trainer; objects go by their class name."""
    measurements: tuple[Measurement, ...] = ()
    measuring_error: str | None = None
    """Why not all could be measured on fake tensors."""
    forwards: tuple[ForwardMeasurement, ...] = ()
    forward_error: str | None = None
    error: str | None = None
    """Why the program could not be probed: one line, then the end of a traceback or of its output."""
    took_s: float | None = None


class ProbeError(ValueError):
    """An answer of a probe that cannot be understood."""


def parse_probe(data: bytes) -> ProgramProbe:
    """Read what a probe wrote.

    Raises:
        ProbeError: it is no such answer; the message says where it differs.
    """
    try:
        return msgspec.json.decode(data, type=ProgramProbe)
    except msgspec.DecodeError as error:
        raise ProbeError(f"The result of the probe cannot be read: {error}.") from error
