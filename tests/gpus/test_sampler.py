"""The sampler: readings at any moment, whatever the driver does. A fake reader stands in where the thread matters."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec
import pytest

from lightning_tui.gpus import GpuReader, GpuReading, GpuSample, GpuSampler, sampler
from tests.conftest import wait_until
from tests.gpus.stub import build_stub


class FakeReader(GpuReader):
    """Stands in for NVML: counts looks, and blocks while told to."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self.thorough: list[bool] = []
        self.ours: list[Collection[int]] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.error: Exception | None = None

    def read(self, ours: Collection[int] = (), *, is_thorough: bool = False) -> tuple[GpuSample, ...]:
        self.looks += 1
        self.thorough.append(is_thorough)
        self.ours.append(ours)
        assert self.go_on.wait(30)
        if self.error is not None:
            raise self.error
        return (GpuSample(index=0, utilization=self.looks),)


def is_sampling() -> bool:
    return any(thread.name == "GPU sampler" for thread in threading.enumerate())


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader()


@pytest.fixture
def gpus(reader: FakeReader) -> Iterator[GpuSampler]:
    made = GpuSampler(lambda: reader)
    yield made
    reader.go_on.set()
    made.stop(10)


def test_the_first_reading_is_waited_for_no_longer_than_told(reader: FakeReader, gpus: GpuSampler) -> None:
    reader.go_on.clear()
    assert gpus.latest() == GpuReading(missing="the NVIDIA driver has not answered yet")
    reader.go_on.set()
    assert gpus.latest(10).gpus[0].utilization == 1


def test_it_reads_again_while_somebody_asks(reader: FakeReader, gpus: GpuSampler) -> None:
    wait_until(lambda: gpus.latest() and reader.looks >= 2, what="a second look")


def test_a_refresh_looks_anew_and_at_everything(reader: FakeReader, gpus: GpuSampler) -> None:
    assert gpus.latest(10).gpus
    looks = reader.looks
    gpus.ours = frozenset({7})
    assert (gpus.refresh(10).gpus[0].utilization or 0) > looks
    assert (reader.thorough[-1], reader.ours[-1]) == (True, {7})
    assert not reader.thorough[0]


def test_the_thread_ends_when_nobody_asks_and_comes_back(
    reader: FakeReader, gpus: GpuSampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler, "IDLE_S", 0.0)
    assert gpus.latest(10).gpus
    wait_until(lambda: not is_sampling(), what="its end")
    looks = reader.looks
    reader.go_on.clear()
    assert gpus.latest().gpus == (), "what was read long ago is not shown as if it were new"
    reader.go_on.set()
    assert gpus.latest(10).gpus[0].utilization == looks + 1


def test_where_there_is_no_driver_it_ends_at_once(reader: FakeReader, gpus: GpuSampler) -> None:
    reader.gives_up, reader.missing = True, "no NVIDIA driver found"
    assert gpus.latest(10).missing == "no NVIDIA driver found"
    wait_until(lambda: not is_sampling(), what="its end")
    gpus.latest()
    assert reader.looks == 1


def test_a_library_that_breaks_is_told_and_not_asked_again(reader: FakeReader, gpus: GpuSampler) -> None:
    reader.error = OSError("bad library")
    assert "OSError('bad library')" in str(gpus.latest(10).missing)
    assert reader.looks == 1


def test_a_stop_leaves_a_thread_that_hangs_behind(reader: FakeReader, gpus: GpuSampler) -> None:
    reader.go_on.clear()
    gpus.latest()
    wait_until(lambda: reader.looks == 1, what="the call that hangs")
    gpus.stop()
    assert is_sampling()
    reader.go_on.set()
    wait_until(lambda: not is_sampling(), what="its end")
    assert reader.looks == 1


_CHILD = """
import sys, time
from pathlib import Path
import msgspec
from lightning_tui.gpus import GpuSampler
from tests.gpus.stub import write_scene

scene, sampler = Path(sys.argv[1]), GpuSampler()

def until(is_there):
    deadline = time.monotonic() + 30
    while not is_there(reading := sampler.latest(1)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return reading

write_scene(scene, {"gpus": 3, "hang": "init"})
silent = until(lambda reading: "has not answered for" in str(reading.missing))
write_scene(scene, {"gpus": 3})
fresh = until(lambda reading: reading.gpus)
write_scene(scene, {"gpus": 3, "hang": "1"})
stale = until(lambda reading: any(gpu.error for gpu in reading.gpus))
write_scene(scene, {"gpus": 3, "utilization": 11})
again = until(lambda reading: all(gpu.utilization == 11 for gpu in reading.gpus))
sys.stdout.buffer.write(msgspec.json.encode([silent, fresh, stale, again]))
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is needed to build the stand-in library")
def test_a_call_that_hangs_makes_readings_stale_and_is_named(tmp_path: Path) -> None:
    """The real binding against a library that does not answer: first at all, then for one of three GPUs."""
    scene = tmp_path / "scene"
    environ = os.environ | {"LD_LIBRARY_PATH": str(build_stub(tmp_path)), "FAKE_NVML_SCENE": str(scene)}
    done = subprocess.run([sys.executable, "-c", _CHILD, str(scene)], env=environ, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    silent, fresh, stale, again = msgspec.json.decode(done.stdout, type=list[GpuReading])
    assert silent.gpus == ()
    assert [(gpu.utilization, gpu.stale_s, gpu.error) for gpu in fresh.gpus] == [(90 + i, None, None) for i in range(3)]
    assert [gpu.utilization for gpu in stale.gpus] == [90, 91, 92]
    assert all((gpu.stale_s or 0) > sampler.STALE_S for gpu in stale.gpus)
    assert [gpu.error is None for gpu in stale.gpus] == [True, False, True]
    assert "the NVIDIA driver has not answered for" in str(stale.gpus[1].error)
    assert all(gpu.stale_s is None and gpu.error is None for gpu in again.gpus)
