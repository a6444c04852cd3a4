"""Where runs live and which Python runs a program: defaults < settings file < environment < flags."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from lightning_tui.persistent import persistent_storage
from lightning_tui.refusal import UsageError

HOME_VARIABLE = "LIGHTNING_TUI_HOME"


class SettingsError(UsageError):
    """A settings file that cannot be read or understood; the message is for people."""


@dataclass(frozen=True)
class Settings:
    """What the user set, with defaults for the rest."""

    runs_home: Path
    runs_home_reason: str
    """Why it is that place, in a few words."""
    stop_patience_s: float = 30.0
    """How long a stop waits for the run to save and end, before SIGTERM."""
    term_patience_s: float | None = None
    """How long it waits after SIGTERM, before SIGKILL; `None`: as long as before SIGTERM."""
    max_restarts: int = 0
    """How often in a row, without getting on, a run is started again after a failure that a restart may cure."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Remapped keys: binding id to key."""


def load_settings(
    environ: Mapping[str, str],
    home_flag: Path | None = None,
    file: Path | None = None,
    root: Path = Path("/"),
) -> Settings:
    """Work the settings out; a missing file means defaults. Persistent storage is looked for below `root`.

    Raises:
        SettingsError: the file is broken, or a value in it is of the wrong kind.
    """
    path = file or Path(platformdirs.user_config_dir("lightning-tui")) / "settings.toml"
    values = _read(path)
    home, reason = _runs_home(environ, home_flag, values.get("home"), root)
    return Settings(
        runs_home=home,
        runs_home_reason=reason,
        stop_patience_s=_patience("stop_patience_s", values.get("stop_patience_s", 30.0), path),
        term_patience_s=_patience("term_patience_s", values["term_patience_s"], path)
        if "term_patience_s" in values
        else None,
        max_restarts=_count("max_restarts", values.get("max_restarts", 0), path),
        keys=_keys(values.get("keys", {}), path),
    )


def _runs_home(environ: Mapping[str, str], flag: Path | None, from_file: object, root: Path) -> tuple[Path, str]:
    if flag is not None:
        return flag.expanduser().absolute(), "--home"
    if environ.get(HOME_VARIABLE):
        return Path(environ[HOME_VARIABLE]).expanduser().absolute(), HOME_VARIABLE
    if isinstance(from_file, str) and from_file:
        return Path(from_file).expanduser().absolute(), "settings file"
    if persistent := persistent_storage(environ, root):
        return persistent.path / "lightning-tui", f"persistent storage ({persistent.reason})"
    return Path(platformdirs.user_state_dir("lightning-tui")) / "runs", "user state folder"


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error.strerror or error}.") from error
    return _parsed(text, path)


def _parsed(text: bytes, path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):  # imported here: most people have no such file, and every start would pay
        import tomllib
    else:
        import tomli as tomllib
    try:
        values: dict[str, Any] = tomllib.loads(text.decode())
        return values
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {path} is not valid TOML: {error}.") from error


def _count(name: str, value: object, path: Path) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise SettingsError(f"{name} = {value!r} in {path} is not valid. Allowed: a whole number, 0 or more.")


def _patience(name: str, value: object, path: Path) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return float(value)
    raise SettingsError(f"{name} = {value!r} in {path} is not valid. Allowed: a number of seconds above 0.")


def _keys(value: object, path: Path) -> dict[str, str]:
    if isinstance(value, dict) and all(isinstance(key, str) for key in value.values()):
        return {str(name): key for name, key in value.items()}
    raise SettingsError(f'[keys] in {path} is not valid. Allowed: lines such as  stop = "x".')


def program_interpreter(environ: Mapping[str, str], flag: Path | None = None) -> Path:
    """The Python that runs a program: `--python`, else the active virtual environment's, else our own.

    Raises:
        SettingsError: the flag names no executable file.
    """
    if flag is not None:
        path = flag.expanduser().absolute()
        if path.is_file() and os.access(path, os.X_OK):
            return path
        raise SettingsError(f"--python {flag}: not an executable file. Give the path of a Python interpreter.")
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        candidate = Path(environ.get(variable, "")) / "bin" / "python"
        if environ.get(variable) and candidate.exists():
            return candidate
    return Path(sys.executable)
