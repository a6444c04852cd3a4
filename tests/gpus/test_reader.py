"""The GPU reader over the real nvidia-ml-py, which talks to a stand-in for the driver's library built here with gcc.

Each case runs in a child process, so that the library never enters the test process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lightning_tui.record.samples import GpuProcess, GpuSample
from tests.gpus.stub import build_stub

GIB = 1 << 30

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is needed to build the stand-in library")


class Answer(msgspec.Struct):
    """What the child process read."""

    reads: list[list[GpuSample]]
    missing: str | None
    gives_up: bool


_CHILD = """
import sys
from pathlib import Path
import msgspec
from lightning_tui.gpus import GpuReader

clock = [0.0]
reader = GpuReader(clock=lambda: clock[0])
reads = []
for step in sys.argv[1].split():
    if step.startswith("+"):
        clock[0] += float(step)
    elif step == "lose":
        Path(sys.argv[2]).touch()
    elif step == "heal":
        Path(sys.argv[2]).unlink()
    else:
        reads.append(reader.read({int(step)}))
answer = {"reads": reads, "missing": reader.missing, "gives_up": reader.gives_up}
reader.close()
sys.stdout.buffer.write(msgspec.json.encode(answer))
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_stub(tmp_path_factory.mktemp("nvml"))


def read(library: Path | None, steps: str = "0", lost_file: str = "", **settings: Any) -> Answer:
    """Run the steps in a child: a number reads (it is our pid), `+S` lets S seconds pass, `lose` and `heal` a GPU."""
    env = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    if library is not None:
        env["LD_LIBRARY_PATH"] = str(library)
    env |= {f"FAKE_NVML_{name.upper()}": str(value) for name, value in settings.items()}
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, steps, lost_file], env=env, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    return msgspec.json.decode(done.stdout, type=Answer)


def test_without_a_driver_there_is_nothing_to_ask_for_again() -> None:
    """Only on a machine without a driver: the reader says so and gives up."""
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine has a driver")
    assert read(None, "0 +60 0") == Answer(reads=[[], []], missing="no NVIDIA driver found", gives_up=True)


def test_a_driver_without_devices(library: Path) -> None:
    answer = read(library, gpus=0)
    assert answer == Answer(reads=[[]], missing="driver loaded, but no device", gives_up=False)


@pytest.mark.parametrize(
    ("code", "words"), [(9, "not loaded"), (18, "reboot"), (4, "permission"), (999, "does not answer")]
)
def test_a_driver_that_refuses_is_told_in_plain_words(library: Path, code: int, words: str) -> None:
    answer = read(library, init=code)
    assert answer.reads == [[]]
    assert words in str(answer.missing)
    assert not answer.gives_up


def test_one_gpu_in_full(library: Path) -> None:
    answer = read(library, "4242", processes=f"4242:{2 * GIB},77:-1")
    assert answer.missing is None
    assert answer.reads[0] == [
        GpuSample(
            index=0,
            uuid="GPU-00000000",
            name="Fake H100 0",
            compute_capability="9.0",
            memory_used=10 * GIB,
            memory_total=80 * GIB,
            utilization=90.0,
            temperature=61.0,
            power=512.5,
            power_limit=700.0,
            processes=(GpuProcess(4242, 2 * GIB, True), GpuProcess(77, None, False)),
        )
    ]


def test_eight_gpus_each_with_its_own_readings(library: Path) -> None:
    (gpus,) = read(library, gpus=8).reads
    assert [(g.index, g.uuid, g.utilization) for g in gpus] == [(i, f"GPU-{i:08d}", 90.0 + i) for i in range(8)]


def test_what_is_not_supported_is_none_and_asked_once(library: Path, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    refused = ["utilization", "temperature", "power", "limit", "processes", "capability", "uuid", "name"]
    answer = read(library, "0 +1 0 +1 0", refuse=",".join(refused), calls=calls)
    for (gpu,) in answer.reads:
        assert gpu == GpuSample(index=0, memory_used=10 * GIB, memory_total=80 * GIB)
    asked = [line.split()[0] for line in calls.read_text().splitlines()]
    assert {name: asked.count(name) for name in refused} == dict.fromkeys(refused, 1)
    assert asked.count("memory2") == 3


def test_constants_are_asked_once_and_process_lists_seldom(library: Path, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    answer = read(library, "5 +1 5 +1 5", calls=calls, processes="5:1024")
    assert [gpu.processes for (gpu,) in answer.reads] == [(GpuProcess(5, 1024, True),)] * 3
    asked = [line.split()[0] for line in calls.read_text().splitlines()]
    assert (asked.count("name"), asked.count("limit"), asked.count("utilization")) == (1, 1, 3)
    assert asked.count("processes") == 4, "two looks, each with a call for the size and one for the list"


def test_memory_falls_back_to_the_first_version(library: Path) -> None:
    ((gpu,),) = read(library, refuse="memory2").reads
    assert (gpu.memory_used, gpu.memory_total) == (11 * GIB, 80 * GIB)
    ((gpu,),) = read(library, refuse="memory2,memory").reads
    assert (gpu.memory_used, gpu.memory_total) == (None, None)


def test_an_old_driver_without_the_newer_calls(tmp_path: Path) -> None:
    old = build_stub(tmp_path, "-DOLD_DRIVER")
    ((gpu,),) = read(old, "9", processes="9:512").reads
    assert (gpu.memory_used, gpu.processes) == (11 * GIB, (GpuProcess(9, 512, True),))


def test_a_lost_gpu_hides_no_other_and_comes_back(library: Path, tmp_path: Path) -> None:
    lost, calls = tmp_path / "lost", tmp_path / "calls"
    lost.touch()
    answer = read(
        library, "0 +1 0 heal +1 0 +30 0", str(lost), gpus=2, lost=1, lost_while=lost, calls=calls, refuse="power"
    )
    assert [[gpu.error for gpu in gpus] for gpus in answer.reads] == [[None, "GPU is lost"]] * 3 + [[None, None]]
    assert answer.reads[0][1] == GpuSample(index=1, error="GPU is lost")
    assert answer.reads[3][1].name == "Fake H100 1"
    assert calls.read_text().splitlines().count("handle 1") == 2, "a lost GPU is left alone for a while"


def test_a_gpu_that_gets_lost_later_keeps_its_name(library: Path, tmp_path: Path) -> None:
    lost = tmp_path / "lost"
    before, after = read(library, "0 lose +1 0", str(lost), lost=0, lost_while=lost).reads
    assert before[0].error is None
    assert (after[0].name, after[0].memory_used, after[0].error) == ("Fake H100 0", None, "GPU is lost")
