"""How much of the rank's device does torch hold? From its allocator; nothing for a CPU."""

from __future__ import annotations

from typing import Any


def memory_of(device: Any) -> dict[str, Any] | None:
    """Fields of the event `memory`, in bytes; `None` where the device has no such allocator."""
    if device.type != "cuda":
        return None
    import torch

    index = torch.cuda.current_device() if device.index is None else device.index
    stats = torch.cuda.memory_stats(index)
    properties = torch.cuda.get_device_properties(index)
    uuid = getattr(properties, "uuid", None)
    return {
        "device": f"cuda:{index}",
        "uuid": None if uuid is None else f"GPU-{str(uuid).removeprefix('GPU-')}",
        "allocated": stats.get("allocated_bytes.all.current", 0),
        "reserved": stats.get("reserved_bytes.all.current", 0),
        "peak_allocated": stats.get("allocated_bytes.all.peak", 0),
        "peak_reserved": stats.get("reserved_bytes.all.peak", 0),
        "total": properties.total_memory,
    }


def batch_size_of(batch: Any, depth: int = 3) -> int | None:
    """Samples in a batch, told by the first dimension of the first tensor in it; `None` where it cannot be told."""
    graphs = getattr(batch, "num_graphs", None)
    if isinstance(graphs, int):
        return graphs
    shape = getattr(batch, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) > 0 else None
    if depth and hasattr(batch, "values"):
        return _first_size(batch.values(), depth)
    return _first_size(batch, depth) if depth and isinstance(batch, list | tuple) else None


def _first_size(parts: Any, depth: int) -> int | None:
    sizes = (batch_size_of(part, depth - 1) for part in parts)
    return next((size for size in sizes if size is not None), None)
