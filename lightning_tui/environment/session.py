"""Who sits here, and does what they start outlive their login? Read from files; logind itself is not asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from lightning_tui.environment.model import Session
from lightning_tui.gpus.files import field_of, lines_of, names_in, number_of


def inspect_session(environ: Mapping[str, str], root: Path = Path("/")) -> Session:
    """Look at the user, the terminal and logind's settings; files are read below `root`."""
    user = environ.get("USER") or environ.get("LOGNAME")
    uid = number_of((field_of(root / "proc/self/status", "Uid") or "").partition("\t")[0])
    return Session(
        user=user,
        uid=uid,
        term=environ.get("TERM", ""),
        kills_processes=_kills(user, root),
        lingers=_lingers(user, root),
    )


def _lingers(user: str | None, root: Path) -> bool:
    return user is not None and (root / "var/lib/systemd/linger" / user).exists()


def _kills(user: str | None, root: Path) -> bool:
    """Whether logind ends what we start when the user logs out (logind.conf(5), `KillUserProcesses`).

    It ends what is in the session's scope. What runs under the user's own manager (`user@...service`) lives as long as
    that does, which is for ever where the user lingers.
    """
    settings = _logind_settings(root)
    if not (root / "run/systemd/system").is_dir() or not _is_yes(settings.get("KillUserProcesses", "no")):
        return False
    only, excluded = (settings.get(f"Kill{which}Users", "").split() for which in ("Only", "Exclude"))
    if user in (excluded or ["root"]) or (only and user not in only):
        return False
    return not _lingers(user, root) or _is_in_session_scope(root)


def _is_in_session_scope(root: Path) -> bool:
    return any(re.search(r"/session-[^/]*\.scope", line) for line in lines_of(root / "proc/self/cgroup"))


def _logind_settings(root: Path) -> dict[str, str]:
    """Lines of logind.conf and its drop-ins; the later ones win."""
    found = {}
    for file in _logind_files(root):
        for line in lines_of(file):
            name, sign, value = line.partition("=")
            if sign and not line.startswith(("#", ";")):
                found[name.strip()] = value.strip()
    return found


def _logind_files(root: Path) -> Iterator[Path]:
    """The vendor's file and then the administrator's; drop-ins by name, and of one name the administrator's alone."""
    for folder in ("usr/lib", "etc"):
        yield root / folder / "systemd/logind.conf"
    drop_ins = {}
    for folder in ("usr/lib", "run", "etc"):
        place = root / folder / "systemd/logind.conf.d"
        drop_ins.update({name: place / name for name in names_in(place) if name.endswith(".conf")})
    for name in sorted(drop_ins):
        yield drop_ins[name]


def _is_yes(value: str) -> bool:
    return value.lower() in ("yes", "true", "1", "on", "y", "t")
