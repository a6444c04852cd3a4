"""Which GPU each entry of CUDA_VISIBLE_DEVICES stands for: CUDA's rules, one by one."""

from __future__ import annotations

import pytest

from lightning_tui.environment.visible import visible_devices
from lightning_tui.gpus import DriverFacts, GpuSample
from tests.environment.machines import gpu

ALIKE = tuple(gpu(index, uuid=f"GPU-{index}{index}aa-0000") for index in range(4))
MIXED = (gpu(0, "NVIDIA T4"), gpu(1, "NVIDIA L40S"))
SLICES = (
    gpu(0, uuid="GPU-00aa-0000"),
    gpu(0, uuid="MIG-5f10-1", mig=0),
    gpu(0, uuid="MIG-5f10-2", mig=1),
)


def seen(value: str, gpus: tuple[GpuSample, ...] = ALIKE, order: str | None = None) -> list[int | str | None]:
    """GPU of each entry, `?` where a GPU is seen that cannot be told, `None` where none is seen."""
    environ = {"CUDA_VISIBLE_DEVICES": value, **({"CUDA_DEVICE_ORDER": order} if order else {})}
    devices = visible_devices(environ, gpus)
    assert devices is not None
    assert all(device.note for device in devices if device.gpu is None)
    return [(device.gpu if device.gpu is not None else "?") if device.is_seen else None for device in devices]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", [0]),
        ("2,1", [2, 1]),
        (" 3 , 0 ", [3, 0]),
        ("", []),
        ("-1", [None]),
        ("0,2,-1,1", [0, 2, None, None]),
        ("0,7,1", [0, None, None]),
        ("NoDevFiles", [None]),
        ("1gpu2,2ampere", [1, 2]),
        ("0,,1", [0, None, None]),
        ("1,1", [None, None]),
        ("GPU-11aa-0000", [1]),
        ("GPU-3,GPU-2", [3, 2]),
        ("GPU-9", [None]),
        ("GPU-", [None]),
        ("GPU-1,0,GPU-2", [1, None, None]),
        ("0,GPU-1", [0, None]),
        ("GPU-2,GPU-22aa", [None, None]),
    ],
)
def test_entries(value: str, expected: list[int | None]) -> None:
    assert seen(value) == expected


def test_unset_is_all_and_no_list() -> None:
    assert visible_devices({}, ALIKE) is None


def test_an_index_among_unlike_gpus_is_sure_in_bus_order_alone() -> None:
    assert seen("1", MIXED) == ["?"]
    assert seen("1", MIXED, order="FASTEST_FIRST") == ["?"]
    assert seen("1", MIXED, order="PCI_BUS_ID") == [1]
    assert seen("GPU-1", MIXED) == [1]


def test_mig_slices_are_named_by_their_own_uuids() -> None:
    devices = visible_devices({"CUDA_VISIBLE_DEVICES": "MIG-5f10-2"}, SLICES)
    assert devices is not None
    assert [(device.gpu, device.mig) for device in devices] == [(0, 1)]
    assert seen("MIG-5f10", SLICES) == [None]  # two begin so
    assert seen("MIG-77", SLICES) == [None]
    assert seen("MIG-5f10-1") == ["?"]  # the driver tells of no slices
    assert seen("GPU-00", SLICES) == [0]
    assert seen("0", SLICES) == [0]
    assert seen("1", SLICES) == [None]  # a slice is no GPU of its own


@pytest.mark.parametrize(
    ("driver", "expected"),
    [(None, [True, True]), ("550.54.15", [True, False]), ("570.1", [True, True]), ("?", [True, True])],
)
def test_older_drivers_let_a_program_see_one_slice(driver: str | None, expected: list[bool]) -> None:
    devices = visible_devices({"CUDA_VISIBLE_DEVICES": "MIG-5f10-2,MIG-5f10-1"}, SLICES, DriverFacts(driver=driver))
    assert devices is not None
    assert [device.is_seen for device in devices] == expected
    assert (devices[1].gpu is None, devices[1].note is None) == (not expected[1], expected[1])
