"""Why there is no GPU, from what a machine shows below a made-up root."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from lightning_tui.gpus.absence import why_missing, why_no_device

NO_LIBRARY = 12


def on_the_bus(root: Path, vendor: str, kind: str) -> None:
    device = root / "sys/bus/pci/devices/0000:01:00.0"
    device.mkdir(parents=True)
    (device / "vendor").write_text(f"{vendor}\n")
    (device / "class").write_text(f"{kind}\n")


def test_nothing_at_all(tmp_path: Path) -> None:
    assert why_missing(NO_LIBRARY, "", {}, tmp_path) == "no NVIDIA driver found"


def test_an_amd_gpu_is_not_read_yet(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/kfd").touch()
    assert why_missing(NO_LIBRARY, "", {}, tmp_path) == "AMD GPU (/dev/kfd): not supported yet"


def test_an_apple_gpu_is_not_read_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(platform, "system", lambda: "Darwin")
        patch.setattr(platform, "machine", lambda: "arm64")
        assert why_missing(NO_LIBRARY, "", {}, tmp_path) == "Apple GPU (MPS): not supported yet"


def test_a_driver_without_its_library(tmp_path: Path) -> None:
    (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
    assert "libnvidia-ml.so.1 is missing" in why_missing(NO_LIBRARY, "", {}, tmp_path)


@pytest.mark.parametrize(
    ("vendor", "kind", "words"),
    [
        ("0x10de", "0x030200", "NVIDIA GPU found, but no driver for it"),
        ("0x1002", "0x038000", "AMD GPU found, but no driver for it"),
        ("0x10de", "0x020000", "no NVIDIA driver found"),
        ("0x8086", "0x030000", "no NVIDIA driver found"),
    ],
)
def test_a_gpu_without_a_driver(tmp_path: Path, vendor: str, kind: str, words: str) -> None:
    """A network adapter of the same maker is no GPU, and a built-in one of another maker is none that trains."""
    on_the_bus(tmp_path, vendor, kind)
    assert why_missing(NO_LIBRARY, "", {}, tmp_path) == words


@pytest.mark.parametrize(("value", "shown"), [("void", "void"), ("none", "none"), ("", '""')])
def test_a_container_that_lets_no_gpu_in(tmp_path: Path, value: str, shown: str) -> None:
    expected = f"this container was given no GPU (NVIDIA_VISIBLE_DEVICES={shown})"
    assert why_missing(NO_LIBRARY, "", {"NVIDIA_VISIBLE_DEVICES": value}, tmp_path) == expected
    assert why_no_device({"NVIDIA_VISIBLE_DEVICES": value}) == expected


def test_a_container_that_lets_all_in_is_not_the_reason(tmp_path: Path) -> None:
    assert why_missing(NO_LIBRARY, "", {"NVIDIA_VISIBLE_DEVICES": "all"}, tmp_path) == "no NVIDIA driver found"
    assert why_no_device({"NVIDIA_VISIBLE_DEVICES": "all"}) == "NVIDIA driver loaded, but it has no device"
