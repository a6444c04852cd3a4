"""Each rule by itself: what makes it speak, and what lets it be silent."""

from __future__ import annotations

import msgspec
import pytest

from lightning_tui.environment import (
    Environment,
    Finding,
    Host,
    Limit,
    Limits,
    Platform,
    Session,
    Slurm,
    Software,
    StoragePlace,
    StoragePlaces,
    reason_not_to_start,
)
from lightning_tui.environment.findings import find_problems
from lightning_tui.environment.model import UNLIMITED
from lightning_tui.environment.rules.software import runs_on
from lightning_tui.gpus import DriverFacts, GpuProcess, GpuSample
from lightning_tui.text.units import GIB

PLACE = StoragePlace(path="/runs", exists=True, writable=True, free=500 * GIB, total=1000 * GIB)
SOFTWARE = Software(
    interpreter="/venv/bin/python", python="3.12.1", torch="2.13.0", torch_build="cu130", lightning="2.6.6"
)
HEALTHY = Environment(
    platform=Platform(family="lightning_local", kind="local", label="local machine"),
    host=Host(cpus=8, shared_memory_total=8 * GIB),
    storage=StoragePlaces(runs_home=PLACE, folder=PLACE),
    gpus=(GpuSample(index=0, name="NVIDIA L40S"),),
    software=SOFTWARE,
)


def ids(environment: Environment) -> list[str]:
    return [finding.id for finding in find_problems(environment)]


def one(environment: Environment) -> Finding:
    findings = find_problems(environment)
    assert len(findings) == 1, findings
    return findings[0]


def but(**changes: object) -> Environment:
    return msgspec.structs.replace(HEALTHY, **changes)


def with_packages(**versions: str | None) -> Environment:
    return but(software=msgspec.structs.replace(SOFTWARE, **versions))


def with_runs_home(**changes: object) -> Environment:
    return but(storage=StoragePlaces(runs_home=msgspec.structs.replace(PLACE, **changes), folder=PLACE))


def test_a_healthy_machine_has_nothing_to_say() -> None:
    assert find_problems(HEALTHY) == ()
    assert find_problems(but(software=None)) == ()


@pytest.mark.parametrize("version", ["2.6.2", "2.6.3"])
def test_a_compromised_lightning_is_an_error(version: str) -> None:
    finding = one(with_packages(lightning=version))
    assert (finding.id, finding.severity) == ("compromised-lightning", "error")
    assert version in finding.title
    assert one(with_packages(lightning=None, pytorch_lightning=version)).title.startswith("pytorch-lightning")


@pytest.mark.parametrize("version", ["2.6.1", "2.6.4", "2.6.20"])
def test_other_releases_are_not(version: str) -> None:
    assert ids(with_packages(lightning=version)) == []


def test_both_flavours_matter_where_their_versions_differ() -> None:
    finding = one(with_packages(pytorch_lightning="2.5.0"))
    assert (finding.id, finding.severity) == ("two-lightnings", "warning")
    assert "2.5.0" in finding.detail
    assert ids(with_packages(pytorch_lightning="2.6.6")) == []


def test_a_cpu_build_of_torch_matters_beside_gpus_alone() -> None:
    environment = with_packages(torch_build="cpu")
    assert one(environment).id == "cpu-torch"
    assert ids(msgspec.structs.replace(environment, gpus=())) == []
    assert ids(with_packages(torch_build=None)) == []


@pytest.mark.parametrize(
    ("versions", "missing"),
    [
        ({"torch": None}, ["no-torch"]),
        ({"lightning": None}, ["no-lightning"]),
        ({"torch": None, "lightning": None}, ["no-torch", "no-lightning"]),
        ({"lightning": None, "pytorch_lightning": "2.6.6"}, []),
    ],
)
def test_an_interpreter_without_what_training_needs(versions: dict[str, str | None], missing: list[str]) -> None:
    findings = find_problems(with_packages(**versions))
    assert [finding.id for finding in findings] == missing
    assert all(finding.severity == "error" and "/venv/bin/python" in finding.remedy for finding in findings)


def test_an_interpreter_that_could_not_be_asked_is_not_said_to_lack_anything() -> None:
    finding = one(but(software=Software(interpreter="/no/python", error="No such file or directory")))
    assert (finding.id, finding.severity) == ("interpreter-unknown", "warning")
    assert "No such file" in finding.detail


@pytest.mark.parametrize(
    ("free", "severity"), [(GIB // 2, "error"), (0, "error"), (5 * GIB, "warning"), (10 * GIB, None), (None, None)]
)
def test_low_disk_at_the_runs_home(free: int | None, severity: str | None) -> None:
    findings = find_problems(with_runs_home(free=free))
    assert [finding.severity for finding in findings] == ([severity] if severity else [])


@pytest.mark.parametrize(
    "changes", [{"writable": False}, {"writable": None, "free": None, "error": "Stale file handle"}]
)
def test_a_runs_home_that_cannot_be_used(changes: dict[str, object]) -> None:
    finding = one(with_runs_home(**changes))
    assert (finding.id, finding.severity) == ("runs-home", "error")


@pytest.mark.parametrize(
    ("size", "has_gpu", "facets", "speaks"),
    [
        (64 * 2**20, True, (), True),
        (64 * 2**20, False, ("container",), True),
        (64 * 2**20, False, (), False),
        (GIB, True, ("container",), False),
        (None, True, (), False),
    ],
)
def test_small_shared_memory(size: int | None, has_gpu: bool, facets: tuple[str, ...], speaks: bool) -> None:
    environment = but(
        host=Host(shared_memory_total=size),
        gpus=HEALTHY.gpus if has_gpu else (),
        platform=msgspec.structs.replace(HEALTHY.platform, facets=facets),
    )
    assert ids(environment) == (["small-shm"] if speaks else [])


@pytest.mark.parametrize(
    ("slurm", "found"),
    [
        (None, None),
        (Slurm(job_id="1", job_name="train", tasks="2"), "slurm-ntasks"),
        (Slurm(job_id="1", job_name="train", tasks="2", tasks_per_node="2"), "slurm-without-srun"),
        (Slurm(job_id="1", job_name="train", tasks="2", tasks_per_node="2", in_step=True), None),
        (Slurm(job_id="1", job_name="interactive", tasks="2"), "slurm-ignored"),
        (Slurm(job_id="1", job_name="bash", tasks="8", tasks_per_node="8"), "slurm-ignored"),
        (Slurm(job_id="1", job_name="train", tasks="1"), None),
        (Slurm(job_id="1", job_name="train"), None),
        (Slurm(job_id="1", job_name="train", tasks="many"), None),
    ],
)
def test_what_slurm_leaves_in_an_allocations_shell(slurm: Slurm | None, found: str | None) -> None:
    findings = find_problems(but(slurm=slurm))
    severity = "info" if found == "slurm-ignored" else "error"
    assert [(finding.id, finding.severity) for finding in findings] == ([(found, severity)] if found else [])


@pytest.mark.parametrize(("devices", "found"), [(("/dev/nvidia0",), ["gpu-driver"]), (("/dev/kfd",), []), ((), [])])
def test_a_gpu_whose_driver_is_silent(devices: tuple[str, ...], found: list[str]) -> None:
    environment = but(gpus=(), gpus_missing="no NVIDIA driver found", host=Host(gpu_devices=devices))
    assert ids(environment) == found


def test_the_worst_comes_first() -> None:
    both = msgspec.structs.replace(with_packages(pytorch_lightning="2.5.0", torch=None))
    assert [finding.severity for finding in find_problems(both)] == ["error", "warning"]


@pytest.mark.parametrize(
    ("capability", "architectures", "runs"),
    [
        ("8.9", "sm_80 sm_86 sm_90", True),
        ("8.0", "sm_86", False),
        ("7.5", "sm_80 sm_90", False),
        ("12.0", "sm_90 sm_100", False),
        ("12.0", "sm_90 compute_90", True),
        ("8.0", "compute_90", False),
        ("9.0", "sm_90a", True),
        ("9.1", "sm_90a", False),
        ("10.3", "sm_100f", True),
        ("11.0", "sm_100f", False),
        ("12.1", "sm_120", True),
        ("strange", "sm_90", True),
        ("8.9", "gfx90a", True),
    ],
)
def test_code_that_runs_on_a_gpu(capability: str, architectures: str, runs: bool) -> None:
    assert runs_on(capability, tuple(architectures.split())) is runs


@pytest.mark.parametrize(
    ("driver", "speaks"),
    [
        (DriverFacts(driver="580.65", cuda="13.0"), False),
        (DriverFacts(driver="570.1", cuda="12.8"), True),
        (DriverFacts(driver="570.1"), True),
        (DriverFacts(driver="580.65"), False),
        (DriverFacts(driver="550.54", cuda="13.1"), False),  # NVIDIA's forward compatibility package
        (DriverFacts(driver="unreadable"), False),
        (DriverFacts(), False),
        (None, False),
    ],
)
def test_a_driver_that_is_too_old_for_torch(driver: DriverFacts | None, speaks: bool) -> None:
    environment = msgspec.structs.replace(with_packages(torch_cuda="13.0"), driver=driver)
    assert ids(environment) == (["old-driver"] if speaks else [])


def test_a_minor_version_of_cuda_may_be_newer_than_the_drivers() -> None:
    newer = msgspec.structs.replace(with_packages(torch_cuda="12.8"), driver=DriverFacts(driver="525.60", cuda="12.0"))
    assert ids(newer) == []


def test_an_old_driver_is_told_with_its_numbers_and_what_is_needed() -> None:
    facts = DriverFacts(driver="550.54", cuda="12.4")
    finding = one(msgspec.structs.replace(with_packages(torch_cuda="13.0"), driver=facts))
    assert "550.54" in finding.detail
    assert "12.4" in finding.detail
    assert "580" in finding.remedy


@pytest.mark.parametrize(
    ("ahead", "says"), [(None, None), (4.0, None), (-4.0, None), (90.0, "future"), (-90.0, "past")]
)
def test_a_file_servers_clock(ahead: float | None, says: str | None) -> None:
    findings = find_problems(with_runs_home(time_ahead_s=ahead, medium="network"))
    assert [finding.id for finding in findings] == (["clock-apart"] if says else [])
    assert all(says is not None and says in finding.detail and "90 s" in finding.title for finding in findings)


@pytest.mark.parametrize(
    ("now", "speaks"), [(0.0, True), (1_767_225_599.0, True), (1_790_000_000.0, False), (None, False)]
)
def test_a_clock_that_was_never_set(now: float | None, speaks: bool) -> None:
    environment = but(host=msgspec.structs.replace(HEALTHY.host, now=now))
    assert ids(environment) == (["clock-wrong"] if speaks else [])


@pytest.mark.parametrize(
    ("uid", "medium", "writable", "speaks"),
    [
        (0, "network", False, True),
        (0, "network", True, False),
        (0, "local", False, False),
        (7, "network", False, False),
    ],
)
def test_root_in_a_home_that_is_not_its_own(uid: int, medium: str, writable: bool, speaks: bool) -> None:
    home = StoragePlace(path="/root", exists=True, medium=medium, file_system="nfs4", writable=writable)
    storage = StoragePlaces(runs_home=PLACE, folder=PLACE, home=home)
    assert ids(but(storage=storage, session=Session(uid=uid))) == (["root-squash"] if speaks else [])


def test_a_full_disk_is_told_once_where_both_places_lie_on_it() -> None:
    full = msgspec.structs.replace(PLACE, free=2 * GIB, mount="/")
    assert ids(but(storage=StoragePlaces(runs_home=full, folder=full))) == ["low-disk"]
    other = msgspec.structs.replace(full, path="/data", mount="/data")
    assert ids(but(storage=StoragePlaces(runs_home=full, folder=other))) == ["low-disk", "low-disk"]


def test_a_place_that_is_mounted_read_only_says_so() -> None:
    assert "read-only" in one(with_runs_home(writable=False, read_only=True)).detail


def test_who_holds_a_gpu_is_named_and_our_own_are_not_counted() -> None:
    others = (GpuProcess(1, 2 * GIB, owner="bob", name="python"), GpuProcess(2, 30 * GIB, name="ollama"))
    own = (GpuProcess(3, 40 * GIB, ours=True),)
    unknown = (GpuProcess(4, None),)
    samples = [
        GpuSample(index=index, name="NVIDIA L40S", memory_total=48 * GIB, processes=processes)
        for index, processes in enumerate((others, own, unknown, None))
    ]
    finding = one(but(gpus=tuple(samples)))
    assert finding.title == "GPU 0 already in use"
    assert finding.detail == "GPU 0: 32 GiB held by ollama 2, python 1 of bob."


@pytest.mark.parametrize(
    ("limit", "remedy"),
    [
        (Limit(1024, 1048576), "ulimit -n 65536"),
        (Limit(1024, UNLIMITED), "ulimit -n 65536"),
        (Limit(1024, 8192), "ulimit -n 8192"),
        (Limit(1024, 1024), "administrator"),
        (Limit(1024, None), "administrator"),
        (Limit(4096, 4096), None),
        (Limit(UNLIMITED, UNLIMITED), None),
        (Limit(None, None), None),
    ],
)
def test_a_limit_of_open_files_and_how_far_it_can_be_raised(limit: Limit, remedy: str | None) -> None:
    findings = find_problems(but(host=Host(limits=Limits(open_files=limit))))
    assert [finding.id for finding in findings] == (["low-open-files"] if remedy else [])
    assert all(remedy is not None and remedy in finding.remedy for finding in findings)


def test_only_a_compromised_release_forbids_to_start() -> None:
    assert reason_not_to_start(SOFTWARE) is None
    assert reason_not_to_start(Software(interpreter="/no/python", error="no such file")) is None
    reason = reason_not_to_start(msgspec.structs.replace(SOFTWARE, lightning="2.6.3"))
    assert reason is not None
    assert "lightning 2.6.3" in reason
    assert "nothing was started" in reason


def test_a_gpu_in_slices_is_not_busy_besides_its_slice() -> None:
    held = (GpuProcess(pid=7, memory=9 * GIB),)
    whole = GpuSample(index=0, memory_total=80 * GIB, processes=held)
    slices = tuple(GpuSample(index=0, mig=mig, memory_total=10 * GIB, processes=held * mig) for mig in (0, 1))
    finding = one(but(gpus=(whole, *slices)))
    assert (finding.id, finding.title) == ("busy-gpus", "GPU 0:1 already in use")


def test_slices_are_not_counted_as_gpus() -> None:
    gpus = (GpuSample(index=0), GpuSample(index=0, mig=0), GpuSample(index=0, mig=1))
    finding = one(msgspec.structs.replace(with_packages(torch_build="cpu"), gpus=gpus))
    assert finding.detail == "torch 2.13.0 cannot use the 1 GPU of this machine."
