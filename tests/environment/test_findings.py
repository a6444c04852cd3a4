"""Each rule by itself: what makes it speak, and what lets it be silent."""

from __future__ import annotations

import msgspec
import pytest

from lightning_tui.environment import Environment, Finding, Host, Place, Platform, Slurm, Software, Storage
from lightning_tui.environment.findings import GIB, find_problems, gib
from lightning_tui.gpus import GpuSample

PLACE = Place(path="/runs", exists=True, writable=True, free=500 * GIB, total=1000 * GIB)
SOFTWARE = Software(
    interpreter="/venv/bin/python", python="3.12.1", torch="2.13.0", torch_build="cu130", lightning="2.6.6"
)
HEALTHY = Environment(
    platform=Platform(family="lightning_local", kind="local", label="local machine"),
    host=Host(cpus=8, shared_memory_total=8 * GIB),
    storage=Storage(runs_home=PLACE, folder=PLACE),
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
    return but(storage=Storage(runs_home=msgspec.structs.replace(PLACE, **changes), folder=PLACE))


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
        (Slurm(job_id="1", job_name="interactive", tasks="2"), None),
        (Slurm(job_id="1", job_name="bash", tasks="8", tasks_per_node="8"), None),
        (Slurm(job_id="1", job_name="train", tasks="1"), None),
        (Slurm(job_id="1", job_name="train"), None),
        (Slurm(job_id="1", job_name="train", tasks="many"), None),
    ],
)
def test_what_slurm_leaves_in_an_allocations_shell(slurm: Slurm | None, found: str | None) -> None:
    findings = find_problems(but(slurm=slurm))
    assert [(finding.id, finding.severity) for finding in findings] == ([(found, "error")] if found else [])


@pytest.mark.parametrize(("devices", "found"), [(("/dev/nvidia0",), ["gpu-driver"]), (("/dev/kfd",), []), ((), [])])
def test_a_gpu_whose_driver_is_silent(devices: tuple[str, ...], found: list[str]) -> None:
    environment = but(gpus=(), gpus_missing="no NVIDIA driver found", host=Host(gpu_devices=devices))
    assert ids(environment) == found


def test_the_worst_comes_first() -> None:
    both = msgspec.structs.replace(with_packages(pytorch_lightning="2.5.0", torch=None))
    assert [finding.severity for finding in find_problems(both)] == ["error", "warning"]


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 MiB"), (64 * 2**20, "64 MiB"), (GIB, "1 GiB"), (int(44.99 * GIB), "45 GiB"), (2048 * GIB, "2048 GiB")],
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert gib(size) == text
