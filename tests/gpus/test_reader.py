"""The GPU reader over the real nvidia-ml-py, which talks to a stand-in for the driver's library built here with gcc.

Each case runs in a child process, so that the library never enters the test process.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lightning_tui.gpus import DriverFacts, GpuLink, GpuSample
from tests.gpus.stub import build_stub

GIB = 1 << 30

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is needed to build the stand-in library")


class Answer(msgspec.Struct):
    """What the child process read."""

    reads: list[list[GpuSample]]
    missing: str | None
    gives_up: bool
    facts: DriverFacts


_CHILD = """
import json, sys
from pathlib import Path
import msgspec
from lightning_tui.gpus import GpuReader
from tests.gpus.stub import write_scene

clock = [0.0]
reader = GpuReader(clock=lambda: clock[0])
reads = []
for step in json.loads(sys.argv[1]):
    if isinstance(step, dict):
        write_scene(Path(sys.argv[2]), step)
    elif isinstance(step, float):
        clock[0] += step
    else:
        reads.append(reader.read({abs(step)}, is_thorough=step < 0))
answer = {"reads": reads, "missing": reader.missing, "gives_up": reader.gives_up, "facts": reader.driver_facts()}
reader.close()
sys.stdout.buffer.write(msgspec.json.encode(answer))
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_stub(tmp_path_factory.mktemp("nvml"))


def read(library: Path | None, *steps: int | float | dict[str, Any], **settings: Any) -> Answer:
    """Run the steps in a child: an int reads (it is our pid; a negative one thoroughly), a float lets seconds pass,
    a mapping is the scene from here on; where nothing reads, the last step does. `settings` go by the environment.
    """
    if not any(isinstance(step, int) for step in steps):
        steps = (*steps, 0)
    with tempfile.TemporaryDirectory() as folder:
        scene = Path(folder) / "scene"
        env = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
        if library is not None:
            env |= {"LD_LIBRARY_PATH": str(library), "FAKE_NVML_SCENE": str(scene)}
        env |= {f"FAKE_NVML_{name.upper()}": str(value) for name, value in settings.items()}
        command = [sys.executable, "-c", _CHILD, json.dumps(steps), str(scene)]
        done = subprocess.run(command, env=env, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return msgspec.json.decode(done.stdout, type=Answer)


def asked(calls: Path) -> Counter[str]:
    """How often each call was made."""
    return Counter(line.split()[0] for line in calls.read_text().splitlines())


def test_without_a_driver_there_is_nothing_to_ask_for_again() -> None:
    """Only on a machine without a driver: the reader says so and gives up."""
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine has a driver")
    answer = read(None, 0, 60.0, 0)
    assert (answer.reads, answer.gives_up, answer.facts) == ([[], []], True, DriverFacts())
    assert answer.missing


def test_a_driver_without_devices(library: Path) -> None:
    answer = read(library, gpus=0)
    assert (answer.reads, answer.missing) == ([[]], "NVIDIA driver loaded, but it has no device")
    assert not answer.gives_up


@pytest.mark.parametrize(
    ("code", "words"), [(9, "not loaded"), (18, "reboot"), (4, "permission"), (28, "no device"), (999, "not answer")]
)
def test_a_driver_that_refuses_is_told_in_plain_words(library: Path, code: int, words: str) -> None:
    answer = read(library, 0, {"init": 0}, 30.0, 0, init=code)
    assert (answer.reads[0], len(answer.reads[1])) == ([], 1), "it is tried again after a while"
    assert answer.missing is None
    answer = read(library, init=code)
    assert words in str(answer.missing)
    assert not answer.gives_up


def test_one_gpu_in_full(library: Path) -> None:
    """The pids are looked up in this machine's /proc: this test's own process is one of them."""
    me, nobody = os.getpid(), 1 << 30
    scene = {"processes": f"{me}:{2 * GIB},{nobody}:-1", "throttle": 0x24, "ecc": 3}
    answer = read(library, scene, me)
    assert answer.missing is None
    mine, unknown = answer.reads[0][0].processes or ()
    assert (mine.pid, mine.memory, mine.ours, mine.name is None) == (me, 2 * GIB, True, False)
    assert mine.owner == pwd.getpwuid(os.getuid()).pw_name
    assert (unknown.pid, unknown.memory, unknown.owner, unknown.name) == (nobody, None, None, None)
    assert not unknown.ours
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
            clock=1755,
            clock_limit=1980,
            throttled=("power cap", "heat"),
            ecc_errors=3,
            processes=(mine, unknown),
        )
    ]


@pytest.mark.parametrize("count", [8, 64])
def test_many_gpus_each_with_its_own_readings(library: Path, count: int) -> None:
    (gpus,) = read(library, {"gpus": count, "utilization.5": 7, "throttle.5": 1}).reads
    assert [(gpu.index, gpu.uuid) for gpu in gpus] == [(i, f"GPU-{i:08d}") for i in range(count)]
    assert [gpu.utilization for gpu in gpus] == [7 if i == 5 else 90 + i % 10 for i in range(count)]
    assert gpus[5].throttled == (), "a GPU whose clock is low because it idles is not held down"


def test_what_is_not_supported_is_none_and_asked_once(library: Path, tmp_path: Path) -> None:
    refused = ["utilization", "temperature", "power", "limit", "clock", "clocklimit", "throttle", "throttle1", "ecc"]
    refused += ["processes", "mig", "capability", "uuid", "name"]
    answer = read(library, 0, 6.0, 0, 30.0, 0, refuse=",".join(refused), calls=tmp_path / "calls")
    for (gpu,) in answer.reads:
        assert gpu == GpuSample(index=0, memory_used=10 * GIB, memory_total=80 * GIB)
    counts = asked(tmp_path / "calls")
    assert {name: counts[name] for name in refused} == dict.fromkeys(refused, 1)
    assert counts["memory2"] == 3


def test_constants_are_asked_once_and_slow_facts_seldom(library: Path, tmp_path: Path) -> None:
    steps = (5, 1.0, 5, 1.0, 5, 1.0, -5, 1.0, 5, 4.5, 5)
    answer = read(library, *steps, calls=tmp_path / "calls", processes="5:1024")
    assert [[p.pid for p in gpu.processes or ()] for (gpu,) in answer.reads] == [[5]] * 6
    counts = asked(tmp_path / "calls")
    once = ("name", "uuid", "capability", "limit", "clocklimit", "mig")
    assert {name: counts[name] for name in once} == dict.fromkeys(once, 1)
    assert counts["utilization"] == 6
    seldom = ("clock", "throttle", "ecc")
    assert {name: counts[name] for name in seldom} == dict.fromkeys(seldom, 3), "first, on demand, and 5 s later"
    assert counts["processes"] == 6, "each time a call for the size and one for the list"


def test_a_process_is_marked_as_soon_as_it_is_known_to_be_ours(library: Path) -> None:
    before, after = read(library, 1, 1.0, os.getpid(), processes=f"{os.getpid()}:1024").reads
    assert not (before[0].processes or ())[0].ours
    assert (after[0].processes or ())[0].ours


def test_memory_falls_back_to_the_first_version(library: Path) -> None:
    ((gpu,),) = read(library, refuse="memory2").reads
    assert (gpu.memory_used, gpu.memory_total) == (11 * GIB, 80 * GIB)
    ((gpu,),) = read(library, refuse="memory2,memory").reads
    assert (gpu.memory_used, gpu.memory_total) == (None, None)


def test_an_old_driver_without_the_newer_calls(tmp_path: Path) -> None:
    answer = read(build_stub(tmp_path, "-DOLD_DRIVER"), 9, processes="9:512", throttle=4)
    ((gpu,),) = answer.reads
    assert (gpu.memory_used, gpu.throttled) == (11 * GIB, ("power cap",))
    assert [(process.pid, process.memory) for process in gpu.processes or ()] == [(9, 512)]
    assert answer.facts == DriverFacts(driver="550.54.15", cuda="12.4")


def test_a_lost_gpu_hides_no_other_and_comes_back(library: Path, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    lost = {"gpus": 2, "lost": 1, "refuse": "power"}
    answer = read(library, lost, 0, 1.0, 0, {**lost, "lost": ""}, 1.0, 0, 30.0, 0, calls=calls)
    assert [[gpu.error for gpu in gpus] for gpus in answer.reads] == [[None, "GPU is lost"]] * 3 + [[None, None]]
    assert answer.reads[0][1] == GpuSample(index=1, error="GPU is lost")
    assert answer.reads[3][1].name == "Fake H100 1"
    assert calls.read_text().splitlines().count("handle 1") == 2, "a lost GPU is left alone for a while"


def test_a_gpu_that_gets_lost_later_keeps_its_name(library: Path) -> None:
    before, after = read(library, 0, {"lost": 0}, 1.0, 0).reads
    assert before[0].error is None
    assert (after[0].name, after[0].memory_used, after[0].error) == ("Fake H100 0", None, "GPU is lost")


class TestMig:
    """Slices of a GPU are devices of their own, after the GPU they are cut from."""

    def test_slices_tell_their_memory_and_no_utilization(self, library: Path) -> None:
        (gpus,) = read(library, {"gpus": 2, "mig.1": "10,0,20", "memory.1": 4096}).reads
        assert [(gpu.index, gpu.mig, gpu.uuid) for gpu in gpus] == [
            (0, None, "GPU-00000000"),
            (1, None, "GPU-00000001"),
            (1, 0, "MIG-00000001-0"),
            (1, 2, "MIG-00000001-2"),
        ]
        assert gpus[1].utilization is None, "NVML does not tell it for a GPU that is cut into slices"
        assert gpus[3] == GpuSample(
            index=1,
            mig=2,
            uuid="MIG-00000001-2",
            name="Fake H100 1 MIG 20gb",
            compute_capability="9.0",
            memory_used=4 * GIB,
            memory_total=20 * GIB,
            processes=(),
        )

    def test_slices_come_and_go(self, library: Path) -> None:
        reads = read(library, {"mig": "10"}, 0, {"mig": "0,10"}, 30.0, 0, {"mig": ""}, 30.0, 0).reads
        assert [[gpu.mig for gpu in gpus] for gpus in reads] == [[None, 0], [None, 1], [None]]

    def test_a_slice_that_stays_is_not_asked_anew(self, library: Path, tmp_path: Path) -> None:
        read(library, {"mig": "10"}, 0, 30.0, 0, calls=tmp_path / "calls")
        assert asked(tmp_path / "calls")["name"] == 2, "of the GPU and of its slice"

    def test_a_lost_gpu_takes_its_slices_along(self, library: Path) -> None:
        (_, lost) = read(library, {"mig": "10"}, 0, {"mig": "10", "lost": 0}, 1.0, 0).reads
        assert [gpu.error for gpu in lost] == ["GPU is lost"] * 2


class TestDriverFacts:
    """Versions, and the ways between GPUs as `nvidia-smi topo -m` writes them."""

    def test_versions(self, library: Path) -> None:
        assert read(library, driver="575.1", cuda=13010).facts == DriverFacts(driver="575.1", cuda="13.1")
        assert read(library, refuse="driver,cuda").facts == DriverFacts()

    @pytest.mark.parametrize(("level", "kind"), [(10, "PIX"), (20, "PXB"), (30, "PHB"), (40, "NODE"), (50, "SYS")])
    def test_the_way_over_pcie(self, library: Path, level: int, kind: str) -> None:
        assert read(library, gpus=2, topology=level, p2p=1).facts.links == (GpuLink(0, 1, kind, peer_access=False),)

    def test_nvlinks_through_switches(self, library: Path) -> None:
        links = read(library, {"gpus": 3, "switches": 18, "switches.2": 4}).facts.links
        assert [(link.first, link.second, link.kind) for link in links] == [
            (0, 1, "NV18"),
            (0, 2, "NV4"),
            (1, 2, "NV4"),
        ]

    def test_nvlinks_from_gpu_to_gpu(self, library: Path) -> None:
        scene = {"gpus": 4, "nvlinks.0": "1,1,2", "nvlinks.1": "0,0", "nvlinks.2": "0", "refuse": "p2p"}
        links = read(library, scene).facts.links
        assert [(link.first, link.second, link.kind) for link in links[:3]] == [
            (0, 1, "NV2"),
            (0, 2, "NV1"),
            (0, 3, "PHB"),
        ]
        assert links[0].peer_access is None

    def test_what_the_driver_does_not_tell_is_left_out(self, library: Path) -> None:
        assert read(library, gpus=2, refuse="topology").facts.links == ()
        assert read(library, {"gpus": 2, "lost": "0,1"}, 0).facts.links == ()
