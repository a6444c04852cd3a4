"""What lies below the places that matter: real folders, and mounts from a made-up table."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_tui.environment.storage import inspect_storage, medium_of


def write_mounts(root: Path, *mounts: tuple[str, str]) -> Path:
    lines = [f"30 1 0:2{n} / {point} rw - {kind} source rw" for n, (point, kind) in enumerate(mounts)]
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/mountinfo").write_text("\n".join([*lines, "broken line", ""]))
    return root


def test_space_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    storage = inspect_storage({}, runs_home=tmp_path / "a" / "b", folder=tmp_path, root=tmp_path)
    assert not storage.runs_home.exists
    assert storage.folder.exists
    assert storage.runs_home.total == storage.folder.total
    assert storage.folder.free is not None
    assert storage.folder.total is not None
    assert 0 < storage.folder.free <= storage.folder.total
    assert storage.folder.writable
    assert storage.folder.medium is None  # no table of mounts there


def test_the_deepest_mount_holds_a_folder_and_of_two_on_one_point_the_last(tmp_path: Path) -> None:
    data = tmp_path / "my data"
    data.mkdir()
    escaped = str(data).replace(" ", r"\040")
    root = write_mounts(tmp_path, (escaped, "nfs4"), ("/", "ext4"), (escaped, "fuse.gcsfuse"))
    storage = inspect_storage({}, runs_home=data / "runs", folder=Path("/"), root=root)
    assert (storage.runs_home.medium, storage.runs_home.file_system) == ("fuse", "fuse.gcsfuse")
    assert storage.runs_home.mount == str(data)
    assert storage.folder.medium == "local"


def test_the_persistent_place_is_the_named_one(tmp_path: Path) -> None:
    environ = {"LIGHTNING_PERSISTENT_PATH": str(tmp_path)}
    storage = inspect_storage(environ, runs_home=tmp_path, folder=tmp_path, root=tmp_path)
    assert storage.persistent is not None
    assert storage.persistent.path == str(tmp_path)


def test_the_persistent_place_of_a_studio_is_its_home(tmp_path: Path) -> None:
    home = tmp_path / "teamspace/studios/this_studio"
    home.mkdir(parents=True)
    storage = inspect_storage({}, runs_home=tmp_path, folder=tmp_path, root=tmp_path)
    assert storage.persistent is not None
    assert storage.persistent.path == str(home)


def test_elsewhere_there_is_no_persistent_place(tmp_path: Path) -> None:
    assert inspect_storage({}, runs_home=tmp_path, folder=tmp_path, root=tmp_path).persistent is None


def test_a_place_that_cannot_be_looked_at_says_why(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    place = inspect_storage({}, runs_home=loop / "runs", folder=tmp_path, root=tmp_path).runs_home
    assert place.error == "Too many levels of symbolic links"
    assert place.free is None


def test_a_runs_home_on_a_network_is_tried_and_its_clock_compared(tmp_path: Path) -> None:
    home = tmp_path / "runs"
    home.mkdir()
    root = write_mounts(tmp_path / "root", ("/", "ext4"), (str(home), "nfs4"))
    storage = inspect_storage({}, runs_home=home, folder=tmp_path, root=root)
    assert storage.runs_home.time_ahead_s is not None
    assert abs(storage.runs_home.time_ahead_s) < 60
    assert storage.folder.time_ahead_s is None
    assert list(home.iterdir()) == []


def test_a_server_that_refuses_what_the_permissions_allow_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_mounts(tmp_path / "root", (str(tmp_path), "nfs4"))

    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("tempfile.TemporaryFile", refuse)
        place = inspect_storage({}, runs_home=tmp_path, folder=tmp_path, root=root).runs_home
    assert (place.writable, place.error, place.time_ahead_s) == (False, "Permission denied", None)


def test_a_local_runs_home_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_mounts(tmp_path / "root", ("/", "ext4"), (str(tmp_path), "fuse.s3fs"))
    with monkeypatch.context() as patch:
        patch.setattr("tempfile.TemporaryFile", None)
        assert inspect_storage({}, runs_home=tmp_path, folder=tmp_path, root=root).runs_home.writable


def test_a_mount_that_is_read_only(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text("30 1 0:2 / / ro,relatime - ext4 /dev/sda ro\n")
    assert inspect_storage({}, runs_home=tmp_path, folder=tmp_path, root=tmp_path).folder.read_only


def test_checkpoints_and_data_follow_persistent_storage(tmp_path: Path) -> None:
    (tmp_path / "persistent").mkdir()
    home = tmp_path / "persistent/lightning-tui"
    storage = inspect_storage({}, runs_home=home, folder=tmp_path, root=tmp_path)
    assert storage.persistent is not None
    assert storage.checkpoints is not None
    assert storage.data is not None
    assert storage.persistent.path == str(tmp_path / "persistent")
    assert storage.persistent_reason == "/persistent, which can be written to"
    assert storage.checkpoints.path == f"{home}/RUN/checkpoints"
    assert storage.data.path == str(tmp_path / "persistent/data")
    assert storage.data.free == storage.persistent.free
    assert not storage.data.exists


def test_below_a_file_there_can_be_no_folder(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    place = inspect_storage({}, runs_home=tmp_path / "runs/mine", folder=tmp_path, root=tmp_path).runs_home
    assert place.error == f"{tmp_path / 'runs'} is a file, not a folder"


@pytest.mark.parametrize(
    ("file_system", "medium"),
    [
        ("ext4", "local"),
        ("overlay", "local"),
        ("fuseblk", "local"),
        ("nfs4", "network"),
        ("lustre", "network"),
        ("fuse", "fuse"),
        ("fuse.s3fs", "fuse"),
        ("tmpfs", "memory"),
        ("9p", "host"),
    ],
)
def test_medium(file_system: str, medium: str) -> None:
    assert medium_of(file_system) == medium
