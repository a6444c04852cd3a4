"""Why are there no GPU readings? The reason in words, from the driver's error and from what else can be seen."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path

NO_DRIVER = "no NVIDIA driver found"
KEPT_OUT = "this container was given no GPU"
NO_DEVICE = "NVIDIA driver loaded, but it has no device"

_VISIBLE = "NVIDIA_VISIBLE_DEVICES"
_NVIDIA, _AMD = "0x10de", "0x1002"
_DISPLAY_CLASSES = ("0x0300", "0x0302", "0x0380")
"""PCI classes of GPUs: with a screen, without one, others."""

# Codes of nvmlReturn_t; not all of them have a name in every version of the binding.
_NO_PERMISSION, _NOT_LOADED, _NO_LIBRARY, _MISMATCH, _GPU_NOT_FOUND = 4, 9, 12, 18, 28


def why_missing(code: int, message: str, environ: Mapping[str, str], root: Path = Path("/")) -> str:
    """Say why NVML could not be opened; `code` is its error, `message` the error's text."""
    if code == _NO_LIBRARY:
        return _why_no_library(environ, root)
    if code == _GPU_NOT_FOUND:
        return why_no_device(environ)
    words = {
        _NOT_LOADED: "NVIDIA driver installed, but not loaded",
        _MISMATCH: "NVIDIA driver and its library have different versions: reboot",
        _NO_PERMISSION: "no permission to use the NVIDIA driver",
    }
    return words.get(code, f"NVIDIA driver does not answer: {message}")


def why_no_device(environ: Mapping[str, str]) -> str:
    """Say why a driver that is there shows no GPU."""
    return _kept_out(environ) or NO_DEVICE


def _why_no_library(environ: Mapping[str, str], root: Path) -> str:
    kept_out = _kept_out(environ)
    if kept_out is not None:
        return kept_out
    if (root / "proc/driver/nvidia").is_dir():
        return "NVIDIA driver loaded, but libnvidia-ml.so.1 is missing: a container without the NVIDIA runtime?"
    if (root / "dev/kfd").exists():
        return "AMD GPU (/dev/kfd): not supported yet"
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return "Apple GPU (MPS): not supported yet"
    makers = _gpus_on_the_bus(root)
    if _NVIDIA in makers:
        return "NVIDIA GPU found, but no driver for it"
    if _AMD in makers:
        return "AMD GPU found, but no driver for it"
    return NO_DRIVER


def _kept_out(environ: Mapping[str, str]) -> str | None:
    """Whether the container's runtime was told to let no GPU in: an empty value says so as `void` and `none` do."""
    value = environ.get(_VISIBLE)
    if value is None or value not in ("", "void", "none"):
        return None
    return f"{KEPT_OUT} ({_VISIBLE}={value or chr(34) * 2})"


def _gpus_on_the_bus(root: Path) -> set[str]:
    """Vendors of the GPUs that the PCI bus shows."""
    try:
        devices = list((root / "sys/bus/pci/devices").iterdir())
    except OSError:
        return set()
    return {_first_line(d / "vendor") for d in devices if _first_line(d / "class").startswith(_DISPLAY_CLASSES)}


def _first_line(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
