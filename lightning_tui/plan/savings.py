"""Which single changes of a plan save memory, and how large may a batch be?"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lightning_tui.plan.estimate import Calibration, estimate
from lightning_tui.plan.probe import ProgramProbe
from lightning_tui.plan.setting import Setting
from lightning_tui.plan.training_step import knows_batches

_MOST_SAMPLES = 1 << 20


class Knob(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the plan that saves memory on each GPU."""

    text: str
    changes: dict[str, object]
    saves: int
    """Bytes, at the upper end."""


def largest_batch(
    probe: ProgramProbe, setting: Setting, gpu_memory: int | None, calibration: Calibration | None = None
) -> int | None:
    """Return the most samples on each device that fit for certain; 0 where not even one does, `None` if not known."""
    if gpu_memory is None or not knows_batches(probe, setting):
        return None
    low, high = 0, _MOST_SAMPLES + 1
    while high - low > 1:
        middle = (low + high) // 2
        found = estimate(probe, setting.under({"batch_size": middle}), gpu_memory, calibration)
        low, high = (middle, high) if found.fits == "fits" else (low, middle)
    return low


def knobs(
    probe: ProgramProbe,
    setting: Setting,
    accumulate_grad_batches: int = 1,
    calibration: Calibration | None = None,
) -> list[Knob]:
    """List the single changes that save memory in this setting, the one that saves most first."""
    before = estimate(probe, setting, None, calibration).high
    if before is None:
        return []
    found = []
    for text, changes in _possible_knobs(probe, setting, accumulate_grad_batches):
        after = estimate(probe, setting.under(changes), None, calibration).high
        if after is not None and after < before:
            found.append(Knob(text=text, changes=changes, saves=before - after))
    return sorted(found, key=lambda knob: -knob.saves)


def _possible_knobs(
    probe: ProgramProbe, setting: Setting, accumulate_grad_batches: int
) -> Iterator[tuple[str, dict[str, object]]]:
    blocks = [block.kind for block in probe.blocks]
    batch_size = setting.batch_size or probe.batch_size
    if setting.full_precision in ("32-true", "64-true"):
        yield "compute in bf16-mixed", {"precision": "bf16-mixed"}
    if blocks and not setting.activation_checkpointing:
        yield f"checkpoint activations of {', '.join(blocks)}", {"activation_checkpointing": blocks}
    if batch_size is not None and batch_size > 1 and batch_size % 2 == 0:
        halved: dict[str, object] = {
            "batch_size": batch_size // 2,
            "accumulate_grad_batches": 2 * accumulate_grad_batches,
        }
        yield f"batches of {batch_size // 2}, twice as many accumulated", halved
    if setting.devices > 1 and not setting.strategy.startswith(("fsdp", "deepspeed")):
        wrapped: dict[str, object] = {"fsdp_wrap_classes": blocks} if blocks else {}
        yield f"divide states among {setting.devices} GPUs with FSDP", {"strategy": "fsdp", **wrapped}
    # These save nothing, and are then left out, where the strategy is another or where they are set already.
    yield "let gradients be views of DDP's buckets", {"ddp_gradient_as_bucket_view": True}
    if blocks:
        yield f"gather {', '.join(blocks)} one at a time", {"fsdp_wrap_classes": blocks}
