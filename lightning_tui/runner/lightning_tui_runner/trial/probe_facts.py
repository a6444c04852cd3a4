"""What does a program train, with which data, and how much memory does a step need? Asked at its first batch."""

from __future__ import annotations

import importlib
import itertools
import os
from typing import TYPE_CHECKING, Any

from ..telemetry.trainer_facts import parameters_of, whole

if TYPE_CHECKING:
    from .answer import Answer
    from .measuring import Subject

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

_FORWARD_SIZES = (2, 4)
"""Samples of the real forward passes: few, for they cost time and memory; and not one, which batch norm refuses."""


def answer_about(answer: Answer, trainer: Any, module: Any, batch: Any, flavour: str, *, always_forward: bool) -> None:
    """Write the facts, then measure on fake tensors; where those fail (or always), in real forward passes."""
    loader = next(iter(_loaders(trainer)), None)
    answer.add(**_facts(trainer, module, batch, loader), batch_size=_batch_size(loader))
    try:
        subject = _subject(trainer, module, batch, flavour)
    except Exception as error:  # noqa: BLE001  # an old torch has no fake tensors, or has them elsewhere
        answer.add(measuring_error=_reason(error), forward_error=_reason(error))
        return
    answer.add(batch_size=_batch_size(loader) or subject.batch_size)
    has_measured = _measure(answer, subject)
    if always_forward or not has_measured:
        _forward(answer, subject)


def _subject(trainer: Any, module: Any, batch: Any, flavour: str) -> Subject:
    from .measuring import Subject, batch_size_of

    autocast = importlib.import_module(f"{flavour}.plugins.precision").MixedPrecision("bf16-mixed", "cpu")
    return Subject(
        module=module,
        optimizers=list(trainer.optimizers),
        batch=batch,
        batch_size=batch_size_of(batch),
        clip=trainer.gradient_clip_val or None,
        autocast=autocast.autocast_context_manager,
    )


def _facts(trainer: Any, module: Any, batch: Any, loader: Any) -> dict[str, Any]:
    parameters, trainable = parameters_of(module)
    return {
        "parameters": parameters,
        "trainable": trainable,
        "parameter_bytes": _bytes(module.parameters()),
        "buffer_bytes": _bytes(module.buffers()),
        "dtypes": sorted({_dtype(p) for p in module.parameters()}),
        "modules": [_module_facts(name, part) for name, part in module.named_children()],
        "blocks": [_block_facts(kind, parts) for kind, parts in blocks_of(module).items()],
        "optimizer": ", ".join(type(optimizer).__name__ for optimizer in trainer.optimizers) or None,
        "automatic_optimization": bool(module.automatic_optimization),
        "batch": _shapes(batch),
        "loader": _loader_facts(loader, trainer) if loader is not None else None,
        "trainer": trainer._lightning_tui_script,
    }


def blocks_of(module: Any) -> dict[type, list[Any]]:
    """Modules that are repeated and made of others: candidates for wrapping and activation checkpoints, largest first.

    Torch's own layers do not count, but for its transformer layers; nor do modules inside of one that counts.
    """
    by_kind: dict[type, list[Any]] = {}
    for part in module.modules():
        is_torchs = type(part).__module__.startswith("torch.nn.") and "Transformer" not in type(part).__name__
        if part is not module and not is_torchs and any(True for _ in part.children()) and _bytes(part.parameters()):
            by_kind.setdefault(type(part), []).append(part)
    repeated = {kind: parts for kind, parts in by_kind.items() if len(parts) > 1}
    inner = {id(i) for parts in repeated.values() for p in parts for i in p.modules() if i is not p}
    outer = {kind: parts for kind, parts in repeated.items() if not any(id(part) in inner for part in parts)}
    return dict(sorted(outer.items(), key=lambda item: -sum(_bytes(part.parameters()) for part in item[1])))


# --- Measuring --------------------------------------------------------------------------------------------------------


def _measure(answer: Answer, subject: Subject) -> bool:
    """Whether a step could be measured; each measurement is in the answer as soon as it is there."""
    from . import measuring

    trainable = sum(p.numel() for p in subject.module.parameters() if p.requires_grad)
    measurements: list[dict[str, Any]] = []
    try:
        answer.add(optimizer_bytes_per_parameter=measuring.optimizer_state(subject) / max(1, trainable))
        for batch_size, precision, checkpointed in _cases(subject):
            measurements.append(measuring.measure(subject, precision, batch_size, checkpointed))
            answer.add(measurements=measurements)
    except Exception as error:  # noqa: BLE001  # the model's code may do anything with tensors that hold no data
        answer.add(measuring_error=_reason(error))
    return bool(measurements)


def _cases(subject: Subject) -> list[tuple[int | None, str, list[Any]]]:
    """What is measured, the most useful first: batch size, precision, and the modules with activation checkpoints."""
    from .measuring import PRECISIONS

    blocks = [part for parts in blocks_of(subject.module).values() for part in parts]
    sizes = [None] if subject.batch_size is None else [subject.batch_size, 2 * subject.batch_size]
    wrapped: list[list[Any]] = [[], blocks] if blocks else [[]]
    return [(size, precision, checkpointed) for checkpointed in wrapped for size in sizes for precision in PRECISIONS]


def _forward(answer: Answer, subject: Subject) -> None:
    from .measuring import PRECISIONS, saved_by_forward

    sizes = [None] if subject.batch_size is None else sorted({min(n, subject.batch_size) for n in _FORWARD_SIZES})
    found = []
    try:
        for precision, size in itertools.product(PRECISIONS, sizes):
            saved = saved_by_forward(subject, precision, size)
            found.append({"precision": precision, "batch_size": size, "saved": saved})
            answer.add(forwards=found)
    except Exception as error:  # noqa: BLE001  # the model's own code failed on its own batch, cut short
        answer.add(forward_error=_reason(error))


def _reason(error: Exception) -> str:
    """The error in one line, and where in the program it came about."""
    import traceback

    lines = str(error).strip().splitlines() or [""]
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [f for f in frames if "site-packages" not in f.filename and not f.filename.startswith(_HERE)]
    where = f" ({theirs[-1].filename}:{theirs[-1].lineno})" if theirs else ""
    return f"{type(error).__name__}: {lines[0][:300]}{where}"


# --- Facts ------------------------------------------------------------------------------------------------------------


def _module_facts(name: str, part: Any) -> dict[str, Any]:
    return {"name": name, "kind": type(part).__name__, "parameters": sum(p.numel() for p in part.parameters())}


def _block_facts(kind: type, parts: list[Any]) -> dict[str, Any]:
    sizes = [sum(p.numel() for p in part.parameters()) for part in parts]
    return {
        "kind": kind.__name__,
        "path": f"{kind.__module__}.{kind.__qualname__}",
        "count": len(parts),
        "parameters": max(sizes),
    }


def _loaders(trainer: Any) -> list[Any]:
    combined = getattr(trainer.fit_loop, "_combined_loader", None)
    return list(getattr(combined, "flattened", []))


def _batch_size(loader: Any) -> int | None:
    sampler = getattr(loader, "batch_sampler", None)
    size = getattr(loader, "batch_size", None) or getattr(sampler, "batch_size", None)
    return size if isinstance(size, int) else None


def _loader_facts(loader: Any, trainer: Any) -> dict[str, Any]:
    changed = getattr(loader, "_lightning_tui_facts", {})
    sampler = type(getattr(loader, "sampler", None)).__name__
    return {
        "kind": type(loader).__name__,
        "batches": whole(trainer.num_training_batches),
        "samples": _length(getattr(loader, "dataset", None)),
        "num_workers": changed.get("num_workers", getattr(loader, "num_workers", None)),
        "pin_memory": changed.get("pin_memory", getattr(loader, "pin_memory", None)),
        "persistent_workers": getattr(loader, "persistent_workers", None),
        "prefetch_factor": getattr(loader, "prefetch_factor", None),
        "drop_last": getattr(loader, "drop_last", None),
        "shuffle": {"RandomSampler": True, "SequentialSampler": False}.get(sampler),
    }


def _length(dataset: Any) -> int | None:
    try:
        return len(dataset)
    except TypeError:
        return None


def _shapes(batch: Any) -> list[dict[str, Any]]:
    """Shapes and types of the batch's tensors, named by where they stand in it."""
    import torch
    from torch.utils._pytree import keystr, tree_flatten_with_path

    leaves, _ = tree_flatten_with_path(batch)
    return [
        {"name": keystr(path), "shape": list(leaf.shape), "dtype": _dtype(leaf)}
        for path, leaf in leaves
        if isinstance(leaf, torch.Tensor)
    ]


def _dtype(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _bytes(tensors: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
