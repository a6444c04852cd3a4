"""Where files outlive the machine: the variable, /persistent, the Studio's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_tui.persistent import STUDIO_HOME, persistent_storage
from lightning_tui.settings import load_settings


@pytest.mark.parametrize(
    ("environ", "folders", "expected", "reason"),
    [
        ({}, (), None, "user state folder"),
        ({}, ("persistent",), "persistent", "/persistent, which can be written to"),
        ({}, (STUDIO_HOME,), STUDIO_HOME, "the Studio's folder"),
        ({}, ("persistent", STUDIO_HOME), "persistent", "/persistent, which can be written to"),
        ({"LIGHTNING_PERSISTENT_PATH": "/p"}, ("persistent",), "/p", "LIGHTNING_PERSISTENT_PATH"),
        ({"LIGHTNING_PERSISTENT_PATH": ""}, ("persistent",), "persistent", "/persistent, which can be written to"),
    ],
)
def test_the_runs_home_follows_persistent_storage(
    environ: dict[str, str], folders: tuple[str, ...], expected: str | None, reason: str, tmp_path: Path
) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    found = persistent_storage(environ, tmp_path)
    assert (found.path if found else None) == (tmp_path / expected if expected else None)
    settings = load_settings(environ, file=tmp_path / "none", root=tmp_path)
    assert reason in settings.runs_home_reason
    if found is not None:
        assert settings.runs_home == found.path / "lightning-tui"


def test_a_file_or_a_folder_that_cannot_be_written_to_is_no_storage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "persistent").write_text("")
    assert persistent_storage({}, tmp_path) is None
    (tmp_path / "persistent").unlink()
    (tmp_path / "persistent").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr("os.access", lambda *_: False)
        assert persistent_storage({}, tmp_path) is None
