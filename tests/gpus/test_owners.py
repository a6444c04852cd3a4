"""Whose a process is: looked up in a made-up /proc, on the host and in a container."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from lightning_tui.gpus.owners import ProcessNames
from lightning_tui.record import GpuProcess

ME = pwd.getpwuid(os.getuid()).pw_name


def made_up(folder: Path, namespace: str | None) -> Path:
    """A /proc with process 42, whose own namespace is the given one."""
    (folder / "42").mkdir()
    (folder / "42" / "comm").write_text("python3\n")
    (folder / "self" / "ns").mkdir(parents=True)
    if namespace is not None:
        (folder / "self" / "ns" / "pid").symlink_to(namespace)
    return folder


def test_on_the_host_every_process_is_known(tmp_path: Path) -> None:
    names = ProcessNames(made_up(tmp_path, "pid:[4026531836]"))
    assert names.identify(42, 5, {42}) == GpuProcess(42, 5, ours=True, owner=ME, name="python3")
    assert names.identify(42, None, ()) == GpuProcess(42, None, ours=False, owner=ME, name="python3")
    assert names.identify(43, 5, ()) == GpuProcess(43, 5, ours=False), "it has gone, or is hidden"


@pytest.mark.parametrize("namespace", ["pid:[4026532201]", None])
def test_in_a_container_only_the_runs_own_processes_are_known(tmp_path: Path, namespace: str | None) -> None:
    """Pid 42 of the host is somebody else than pid 42 in here."""
    names = ProcessNames(made_up(tmp_path, namespace))
    assert names.identify(42, 5, ()) == GpuProcess(42, 5, ours=None)
    assert names.identify(42, 5, {42}) == GpuProcess(42, 5, ours=True, owner=ME, name="python3")


def test_a_user_without_a_login_goes_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    names = ProcessNames(made_up(tmp_path, "pid:[4026531836]"))
    with monkeypatch.context() as patch:
        patch.setattr(pwd, "getpwuid", unknown)
        assert names.identify(42, 5, ()).owner == str(os.getuid())
