"""Where runs live and which Python runs a program: each source wins over the one before."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lightning_tui.settings import SettingsError, load_settings, program_interpreter


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_each_source_wins_over_the_one_before(tmp_path: Path) -> None:
    file = write(tmp_path / "settings.toml", 'home = "/from/file"')
    nothing = tmp_path / "missing.toml"
    persistent = {"LIGHTNING_PERSISTENT_PATH": "/persistent"}
    both = {**persistent, "LIGHTNING_TUI_HOME": "/from/environment"}
    assert load_settings({}, file=nothing, root=tmp_path).runs_home_reason == "user state folder"
    assert load_settings(persistent, file=nothing).runs_home == Path("/persistent/lightning-tui")
    assert load_settings(persistent, file=file).runs_home == Path("/from/file")
    assert load_settings(both, file=file).runs_home == Path("/from/environment")
    assert load_settings(both, home_flag=Path("/from/flag"), file=file).runs_home == Path("/from/flag")


def test_a_relative_home_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings({}, home_flag=Path("runs"), file=tmp_path / "none").runs_home == tmp_path / "runs"


def test_values_of_the_file(tmp_path: Path) -> None:
    file = write(tmp_path / "settings.toml", 'stop_patience_s = 90\n[keys]\nstop = "t"\n')
    settings = load_settings({}, file=file)
    assert settings.stop_patience_s == 90.0
    assert settings.keys == {"stop": "t"}


@pytest.mark.parametrize("text", ["home = [", "stop_patience_s = -1", "stop_patience_s = true", "keys = 3", "\udcff"])
def test_a_broken_file_is_a_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(SettingsError, match=r"settings\.toml"):
        load_settings({}, file=file)


def test_the_interpreter_is_the_flags_then_the_environments_then_ours(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    assert program_interpreter({}) == Path(sys.executable)
    assert program_interpreter({"VIRTUAL_ENV": str(tmp_path)}) == python
    assert program_interpreter({"CONDA_PREFIX": str(tmp_path)}) == python
    assert program_interpreter({"VIRTUAL_ENV": "/gone"}) == Path(sys.executable)
    assert program_interpreter({"VIRTUAL_ENV": "/gone"}, python) == python
    with pytest.raises(SettingsError, match="/no/python"):
        program_interpreter({}, Path("/no/python"))
