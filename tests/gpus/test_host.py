"""The host reader: real readings of this machine, the limits of a container, the share of a run's processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from lightning_tui.gpus import HostReader

_NOWHERE = Path("/proc/self/no-such-root")


def test_the_first_look_has_memory_but_no_cpu_share() -> None:
    reader = HostReader(_NOWHERE)
    first, second = reader.read(), reader.read()
    assert first.cpu_percent is None
    assert first.run_cpu_percent is None
    assert second.cpu_percent is not None
    assert first.memory_total == psutil.virtual_memory().total
    assert 0 < (first.memory_used or 0) < (first.memory_total or 0)
    assert first.cpu_count == len(os.sched_getaffinity(0))


def test_the_share_of_a_run_counts_its_living_processes() -> None:
    child = subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdin=-1, stdout=-1)
    assert child.stdout is not None
    child.stdout.readline()
    reader = HostReader(_NOWHERE)
    sample = reader.read([os.getpid(), child.pid])
    assert sample.run_processes == 2
    assert (sample.run_memory or 0) > psutil.Process(child.pid).memory_info().rss
    child.communicate(b"\n")
    assert reader.read([os.getpid(), child.pid]).run_processes == 1


def test_a_busy_process_shows_as_cpu_of_the_run() -> None:
    reader = HostReader(_NOWHERE)
    reader.read([os.getpid()])
    until = sum(os.times()[:2]) + 0.1
    while sum(os.times()[:2]) < until:
        pass
    assert (reader.read([os.getpid()]).run_cpu_percent or 0) > 5


def groups(root: Path) -> Path:
    """A root whose control groups are `outer/inner`, of version 2; return the inner one's folder."""
    inner = root / "sys/fs/cgroup/outer/inner"
    inner.mkdir(parents=True)
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("0::/outer/inner\n")
    return inner


def test_the_memory_limit_of_a_container_is_respected(tmp_path: Path) -> None:
    """The tightest limit on the way up counts, and file cache that can be taken back is not used memory."""
    inner = groups(tmp_path)
    (inner / "memory.max").write_text("max\n")
    (inner.parent / "memory.max").write_text("1000000\n")
    (inner.parent / "memory.current").write_text("700000\n")
    (inner.parent / "memory.stat").write_text("anon 400000\ninactive_file 200000\n")
    sample = HostReader(tmp_path).read()
    assert (sample.memory_used, sample.memory_total) == (500000, 1000000)


def test_a_limit_above_the_host_is_none(tmp_path: Path) -> None:
    (groups(tmp_path) / "memory.max").write_text(f"{1 << 62}\n")
    assert HostReader(tmp_path).read().memory_total == psutil.virtual_memory().total


@pytest.mark.parametrize(("quota", "cpus"), [("50000 100000", 1), ("1000000000 100000", None), ("max 100000", None)])
def test_the_cpu_quota_of_a_container_is_respected(tmp_path: Path, quota: str, cpus: int | None) -> None:
    """Rounded up: half a CPU's time is one CPU. A quota above what there is grants no more."""
    (groups(tmp_path).parent / "cpu.max").write_text(f"{quota}\n")
    assert HostReader(tmp_path).read().cpu_count == (cpus or len(os.sched_getaffinity(0)))


def test_limits_of_the_first_version_of_control_groups(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("4:cpu,cpuacct:/a\n7:memory:/b\n")
    cpu, memory = tmp_path / "sys/fs/cgroup/cpu/a", tmp_path / "sys/fs/cgroup/memory/b"
    for folder in (cpu, memory):
        folder.mkdir(parents=True)
    (cpu / "cpu.cfs_quota_us").write_text("100000\n")
    (cpu / "cpu.cfs_period_us").write_text("100000\n")
    (memory / "memory.limit_in_bytes").write_text("1000000\n")
    (memory / "memory.usage_in_bytes").write_text("300000\n")
    sample = HostReader(tmp_path).read()
    assert (sample.cpu_count, sample.memory_used, sample.memory_total) == (1, 300000, 1000000)


def test_what_a_new_process_takes_of_the_cpu_is_not_known_yet() -> None:
    reader = HostReader()
    reader.read()
    first, second = reader.read([os.getpid()]), reader.read([os.getpid()])
    assert (first.run_cpu_percent, first.run_processes) == (None, 1)
    assert second.run_cpu_percent is not None
