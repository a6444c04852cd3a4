"""Which plan fields would a suggestion change in this run? Computed of what is in effect.

`None`: the plan cannot do it here, and it is told as a plain hint. Empty: it is so already, or there is nothing that it
could be done with, and it is not told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from lightning_tui.diagnosis.model import Evidence

FIRST_WITH_BF16 = (8, 0)
"""Compute capability from which bfloat16 runs in hardware (NVIDIA CUDA C++ Programming Guide, table of features)."""

Changes = dict[str, Any]


def halve_the_batch(evidence: Evidence) -> Changes | None:
    """Half the batch and twice the accumulation: samples per optimizer step stay the same for an even batch."""
    size = _whole(evidence.value("batch_size")) or evidence.batch_size
    if size is None or size < 2:
        return None if size is None else {}
    accumulated = _whole(evidence.value("accumulate_grad_batches")) or 1
    half = size // 2
    return {"batch_size": half, "accumulate_grad_batches": max(1, round(accumulated * size / half))}


def lower_precision(evidence: Evidence) -> Changes | None:
    """Mixed precision: bfloat16 where the GPUs have it, else float16; nothing where it is mixed already."""
    if str(evidence.value("precision") or "32-true") not in ("32-true", "32", "64-true", "64"):
        return {}
    known = [_capability(gpu.compute_capability) for gpu in evidence.gpus if gpu.compute_capability]
    return {"precision": "16-mixed" if known and min(known) < FIRST_WITH_BF16 else "bf16-mixed"}


def shard_the_model(evidence: Evidence) -> Changes | None:
    """FSDP, where there are several devices and nothing is sharded yet."""
    strategy = str(evidence.value("strategy") or "auto").lower()
    sharded = ("fsdp", "deepspeed", "model_parallel", "modelparallel")
    if any(name in strategy for name in sharded):
        return {}
    return {"strategy": "fsdp"} if (evidence.world_size or 1) > 1 else None


def fewer_workers(evidence: Evidence) -> Changes | None:
    """Half the workers; none of them from one on."""
    workers = _whole(evidence.value("num_workers"))
    return None if workers is None else {"num_workers": workers // 2} if workers else {}


def no_workers(evidence: Evidence) -> Changes | None:
    """Load in the main process, unless a run is known to do so, or to have failed before it had a loader."""
    workers = _whole(evidence.value("num_workers"))
    if workers is None:
        return None if evidence.of_run else {"num_workers": 0}
    return {"num_workers": 0} if workers else {}


def resume(evidence: Evidence) -> Changes | None:
    """Go on from the newest checkpoint, where a run has left one that is whole."""
    return {"ckpt_path": "last"} if evidence.has_checkpoint or not evidence.of_run else {}


def begin_anew(evidence: Evidence) -> Changes | None:
    """Without the checkpoint that the plan names."""
    return {"ckpt_path": None} if evidence.plan.get("ckpt_path") is not None else None


def full_precision(evidence: Evidence) -> Changes | None:
    """float32, where a run computes in something else."""
    precision = evidence.value("precision")
    if precision is None and evidence.of_run:
        return None
    return {} if str(precision) in ("32-true", "32") else {"precision": "32-true"}


def all_batches(evidence: Evidence) -> Changes | None:
    """No limit on batches, where there is one."""
    limits = ("limit_train_batches", "limit_val_batches")
    set_here = {name: 1.0 for name in limits if evidence.value(name) not in (None, 1.0)}
    return set_here if set_here or evidence.of_run else dict.fromkeys(limits, 1.0)


def more_workers(evidence: Evidence) -> Changes | None:
    """As many workers as there are CPUs for each rank, at most 8."""
    cpus = evidence.host.cpu_count if evidence.host else None
    if cpus is None:
        return None
    share = min(8, max(1, cpus // max(1, evidence.world_size or 1)))
    return {"num_workers": share} if share > (_whole(evidence.value("num_workers")) or 0) else {}


def existing_devices(evidence: Evidence) -> Changes | None:
    """As many devices as there are GPUs."""
    count = len({gpu.index for gpu in evidence.gpus})
    return {"devices": count} if count else None


def one_checkpoint_every_epoch(evidence: Evidence) -> Changes | None:
    """Keep one checkpoint instead of many, where a run keeps many."""
    kept = evidence.value("checkpoint_save_top_k")
    if kept is None and evidence.of_run:
        return None
    return {} if kept in (0, 1) else {"checkpoint_save_top_k": 1}


def clip_gradients(evidence: Evidence) -> Changes | None:
    """Clip at 1.0, where nothing is clipped."""
    return {} if evidence.value("gradient_clip_val") else {"gradient_clip_val": 1.0}


def wider_than_half(evidence: Evidence) -> Changes | None:
    """bfloat16 has the range of float32: it takes the place of float16."""
    precision = evidence.value("precision")
    if str(precision) not in ("16-mixed", "16-true", "16", "transformer-engine-float16"):
        return None if precision is None else {}
    known = [_capability(gpu.compute_capability) for gpu in evidence.gpus if gpu.compute_capability]
    return {"precision": "bf16-mixed" if not known or min(known) >= FIRST_WITH_BF16 else "32-true"}


def half_that_runs_here(evidence: Evidence) -> Changes | None:
    """float16 mixed on GPUs, float32 on a CPU."""
    on_cpu = str(evidence.value("accelerator")) == "cpu" or not evidence.gpus
    return {"precision": "32-true" if on_cpu else "16-mixed"}


COMPUTED: Mapping[str, Callable[[Evidence], Changes | None]] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            halve_the_batch,
            lower_precision,
            shard_the_model,
            fewer_workers,
            no_workers,
            resume,
            begin_anew,
            full_precision,
            all_batches,
            more_workers,
            existing_devices,
            one_checkpoint_every_epoch,
            clip_gradients,
            wider_than_half,
            half_that_runs_here,
        )
    }
)
"""By the names that rules use."""


def _whole(value: Any) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return int(value) if is_number and value == int(value) else None


def _capability(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return (int(major), int(minor or 0)) if major.isdigit() and (minor or "0").isdigit() else FIRST_WITH_BF16
