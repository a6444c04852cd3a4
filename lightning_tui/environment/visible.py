"""Which GPU does each entry of `CUDA_VISIBLE_DEVICES` stand for?

The rules are CUDA's (CUDA Programming Guide, "CUDA Environment Variables"): indices, or UUIDs and beginnings of them;
an entry that names no GPU ends the list; an empty value hides all. That one list holds one kind of name only, and that
a name given twice hides all, is how torch reads it (`torch.cuda._parse_visible_devices`). How many MIG slices a
program sees is the driver's affair (NVIDIA MIG User Guide, "CUDA Device Enumeration").
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lightning_tui.environment.model import VisibleDevice
from lightning_tui.gpus import DriverFacts, GpuSample
from lightning_tui.gpus.files import number_of
from lightning_tui.text.units import plural

VARIABLE = "CUDA_VISIBLE_DEVICES"
ORDER_VARIABLE = "CUDA_DEVICE_ORDER"
BUS_ORDER = "PCI_BUS_ID"
"""The value with which CUDA counts GPUs as NVML does; its own default counts the fastest first."""

SEVERAL_SLICES_FROM = 570
"""Branch of the driver from which on a program can see more than one MIG slice."""

_NONE_KNOWN = "no GPU is known here"


def visible_devices(
    environ: Mapping[str, str], gpus: Sequence[GpuSample], driver: DriverFacts | None = None
) -> tuple[VisibleDevice, ...] | None:
    """Read the variable entry by entry; `None` where it is not set, nothing where it is empty."""
    value = environ.get(VARIABLE)
    if value is None:
        return None
    entries = [entry.strip() for entry in value.split(",")] if value.strip() else []
    kind = _kind(entries[0]) if entries else ""
    is_ordered = environ.get(ORDER_VARIABLE) == BUS_ORDER or len({gpu.name for gpu in gpus}) == 1
    devices = [_device(entry, kind, gpus, is_ordered) for entry in entries]
    seen = _hide_repeated(_hide_after_invalid(devices))
    return _hide_further_slices(seen) if kind == "MIG-" and sees_one_slice(driver) else seen


def _kind(entry: str) -> str:
    return entry[:4] if entry.startswith(("GPU-", "MIG-")) else "index"


def _device(entry: str, kind: str, gpus: Sequence[GpuSample], is_ordered: bool) -> VisibleDevice:
    if _kind(entry) != kind:
        return VisibleDevice(entry, note="indices and UUIDs cannot be mixed", is_seen=False)
    if kind == "index":
        return _by_index(entry, gpus, is_ordered)
    return _by_uuid(entry, [gpu for gpu in gpus if (gpu.mig is not None) == (kind == "MIG-")], kind)


def _by_index(entry: str, gpus: Sequence[GpuSample], is_ordered: bool) -> VisibleDevice:
    digits = re.match(r"\+?(\d+)", entry)  # CUDA reads the number that an entry begins with, and passes over the rest
    present = {gpu.index for gpu in gpus}
    if digits is None:
        return VisibleDevice(entry, note="not the index of a GPU", is_seen=False)
    index = int(digits[1])
    if index >= len(present):
        here = f"only {plural(len(present), 'GPU')} here" if present else _NONE_KNOWN
        return VisibleDevice(entry, note=here, is_seen=False)
    if not is_ordered:
        return VisibleDevice(entry, note=f"CUDA counts the fastest GPU first; {ORDER_VARIABLE} is not {BUS_ORDER}")
    return VisibleDevice(entry, gpu=index)


def _by_uuid(entry: str, gpus: Sequence[GpuSample], kind: str) -> VisibleDevice:
    """Find by the UUID or the beginning of it. A MIG slice's older name, `MIG-GPU-.../1/0`, names its GPU."""
    found = [gpu for gpu in gpus if gpu.uuid is not None and gpu.uuid.startswith(entry)]
    if len(found) == 1 and entry != kind:
        return VisibleDevice(entry, gpu=found[0].index, mig=found[0].mig)
    if len(found) > 1:
        return VisibleDevice(entry, note="several GPUs start with this", is_seen=False)
    if kind == "MIG-" and not gpus:
        return VisibleDevice(entry, note="the driver reports no MIG slice")
    return VisibleDevice(entry, note="no such GPU" if gpus else _NONE_KNOWN, is_seen=False)


def _hide_after_invalid(devices: Sequence[VisibleDevice]) -> list[VisibleDevice]:
    seen = True
    result = []
    for device in devices:
        if not seen:
            device = VisibleDevice(device.entry, note="comes after an invalid entry", is_seen=False)
        seen = device.is_seen
        result.append(device)
    return result


def _hide_repeated(devices: Sequence[VisibleDevice]) -> tuple[VisibleDevice, ...]:
    names = [device.entry if device.gpu is None else (device.gpu, device.mig) for device in devices if device.is_seen]
    if len(set(names)) == len(names):
        return tuple(devices)
    return tuple(VisibleDevice(device.entry, note="one GPU is named twice", is_seen=False) for device in devices)


def sees_one_slice(driver: DriverFacts | None) -> bool:
    """Whether this driver lets a program see no more than one MIG slice; no, where its branch is not known."""
    branch = number_of((driver.driver or "").partition(".")[0]) if driver is not None else None
    return branch is not None and branch < SEVERAL_SLICES_FROM


def _hide_further_slices(devices: Sequence[VisibleDevice]) -> tuple[VisibleDevice, ...]:
    note = f"drivers before {SEVERAL_SLICES_FROM} let a program see one MIG slice"
    first = next((place for place, device in enumerate(devices) if device.is_seen), len(devices))
    return tuple(
        VisibleDevice(device.entry, note=note, is_seen=False) if device.is_seen and place > first else device
        for place, device in enumerate(devices)
    )
