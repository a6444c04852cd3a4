"""What the machine gives us, read from a made-up /proc and /sys in the layouts that exist."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from pathlib import Path

import pytest

from lightning_tui.environment.host import inspect_host
from lightning_tui.environment.model import UNLIMITED, Limit, Limits
from tests.environment.machines import limits_file

MEMORY = "MemTotal:       16384 kB\nMemFree:  1024 kB\nMemAvailable:    8192 kB\n"
STATUS = "Name:\tpython\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7\n"
KIB = 1024


def build(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in {"proc/meminfo": MEMORY, "proc/self/status": STATUS, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_plain_machine(tmp_path: Path) -> None:
    host = inspect_host(
        build(
            tmp_path,
            {
                "proc/sys/kernel/hostname": "node-3\n",
                "proc/sys/kernel/osrelease": "6.8.0\n",
                "etc/os-release": 'NAME="Ubuntu"\nPRETTY_NAME="Ubuntu 24.04 LTS"\n',
                "sys/devices/system/cpu/online": "0-15\n",
                "proc/self/cgroup": "0::/user.slice\n",
                "dev/nvidia0": "",
            },
        )
    )
    assert (host.hostname, host.system, host.kernel) == ("node-3", "Ubuntu 24.04 LTS", "6.8.0")
    assert (host.cpus, host.cpus_online, host.cpu_quota) == (8, 16, None)
    assert (host.memory_total, host.memory_available) == (16384 * KIB, 8192 * KIB)
    assert not host.memory_is_limited
    assert host.shared_memory_total is None
    assert host.gpu_devices == ("/dev/nvidia0",)


def test_nothing_is_invented_where_nothing_can_be_read(tmp_path: Path) -> None:
    host = inspect_host(tmp_path / "missing")
    assert (host.cpus, host.memory_total, host.memory_available, host.hostname, host.system) == (None,) * 5
    assert host.gpu_devices == ()


@pytest.mark.parametrize(("listed", "count"), [("0", 1), ("0-3", 4), ("0-3,8,10-11", 7), ("garbage", None), ("", None)])
def test_cpus_by_affinity(tmp_path: Path, listed: str, count: int | None) -> None:
    assert inspect_host(build(tmp_path, {"proc/self/status": f"Cpus_allowed_list:\t{listed}\n"})).cpus == count


@pytest.mark.parametrize(
    ("quota", "cpus", "share"),
    [("150000 100000", 2, 1.5), ("50000 100000", 1, 0.5), ("max 100000", 8, None), ("6400000 100000", 8, 64.0)],
)
def test_a_quota_of_version_two(tmp_path: Path, quota: str, cpus: int, share: float | None) -> None:
    host = inspect_host(build(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": quota}))
    assert (host.cpus, host.cpu_quota) == (cpus, share)


def test_the_tightest_quota_on_the_way_up_counts(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/job/step\n",
        "sys/fs/cgroup/job/step/cpu.max": "max 100000",
        "sys/fs/cgroup/job/cpu.max": "300000 100000",
    }
    assert inspect_host(build(tmp_path, files)).cpu_quota == 3.0


def test_a_quota_of_version_one(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "4:memory:/box\n2:cpu,cpuacct:/box\n1:name=systemd:/\n",
        "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "200000",
        "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
    }
    assert inspect_host(build(tmp_path, files)).cpus == 2


def test_a_memory_limit_of_version_two_counts_cache_as_available(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.max": str(4096 * KIB),
        "sys/fs/cgroup/memory.current": str(3072 * KIB),
        "sys/fs/cgroup/memory.stat": f"anon 5\ninactive_file {1024 * KIB}\n",
    }
    host = inspect_host(build(tmp_path, files))
    assert (host.memory_total, host.memory_available) == (4096 * KIB, 2048 * KIB)
    assert host.memory_is_limited


def test_a_memory_limit_of_version_one(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "4:memory:/docker/abc\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": str(4096 * KIB),
        "sys/fs/cgroup/memory/memory.usage_in_bytes": str(1024 * KIB),
        "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 0\n",
    }
    host = inspect_host(build(tmp_path, files))
    assert (host.memory_total, host.memory_available) == (4096 * KIB, 3072 * KIB)


@pytest.mark.parametrize("limit", ["max", str(2**63 - 4096)])
def test_a_limit_above_the_machines_memory_is_none(tmp_path: Path, limit: str) -> None:
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": limit}
    host = inspect_host(build(tmp_path, files))
    assert host.memory_total == 16384 * KIB
    assert not host.memory_is_limited


def test_limits_adapters_and_our_own_name(tmp_path: Path) -> None:
    files = {
        "proc/self/limits": limits_file("1024", locked_memory="unlimited"),
        "sys/class/infiniband/mlx5_0/x": "",
        "sys/class/infiniband/mlx5_1/x": "",
        "proc/sys/kernel/hostname": "n1\n",
        "etc/hosts": "# 127.0.0.9 n1\n10.0.0.1 other\n127.0.1.1 n1.site n1 # us\n",
    }
    host = inspect_host(build(tmp_path, files))
    assert host.limits == Limits(
        open_files=Limit(1024, 1048576),
        locked_memory=Limit(UNLIMITED, UNLIMITED),
        processes=Limit(96365, 96365),
        core_size=Limit(0, UNLIMITED),
        stack=Limit(8388608, UNLIMITED),
    )
    assert host.infiniband == ("mlx5_0", "mlx5_1")
    assert host.loopback_address == "127.0.1.1"


def test_the_limits_are_those_of_this_process() -> None:
    limits = inspect_host().limits
    assert limits is not None
    assert limits.open_files == Limit(*resource.getrlimit(resource.RLIMIT_NOFILE))
    assert limits.processes == Limit(*resource.getrlimit(resource.RLIMIT_NPROC))
    assert limits.locked_memory == Limit(*resource.getrlimit(resource.RLIMIT_MEMLOCK))
    assert limits.core_size == Limit(*resource.getrlimit(resource.RLIMIT_CORE))
    assert limits.stack == Limit(*resource.getrlimit(resource.RLIMIT_STACK))


def test_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    host = inspect_host()
    assert host.cpus is not None
    assert 1 <= host.cpus <= len(os.sched_getaffinity(0))
    assert host.memory_total is not None
    assert host.memory_available is not None
    assert 0 < host.memory_available <= host.memory_total
