"""A file is there whole or not at all, private, and nobody else's link is written through."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_tui.files import keep, read_kept, size_of, write_whole


def test_a_file_is_put_in_place_whole_and_private(tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "notes.json", tmp_path / "elsewhere"
    elsewhere.write_text("not ours")
    path.symlink_to(elsewhere)
    write_whole(path, b"new")
    assert (path.read_bytes(), path.is_symlink(), path.stat().st_mode & 0o777) == (b"new", False, 0o600)
    assert elsewhere.read_text() == "not ours"
    assert sorted(tmp_path.iterdir()) == [elsewhere, path]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    with pytest.raises(OSError, match="folder"):
        write_whole(tmp_path / "folder", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    with pytest.raises(OSError, match="missing"):
        write_whole(tmp_path / "missing" / "file", b"new")


def test_a_torn_file_was_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    assert read_kept(path) is None
    keep(path, b"what was found out")
    assert read_kept(path) == b"what was found out"
    path.write_bytes(path.read_bytes()[:-1])
    assert read_kept(path) is None
    keep(tmp_path / "missing" / "kept", b"no trouble")


def test_the_size_of_a_folder_is_that_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "0").write_bytes(b"abc")
    (tmp_path / "meta").write_bytes(b"d")
    assert (size_of(tmp_path), size_of(tmp_path / "meta"), size_of(tmp_path / "gone")) == (4, 1, None)
