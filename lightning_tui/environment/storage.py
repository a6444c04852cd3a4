"""What storage lies below the places that matter, and of what kind is it?"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from lightning_tui.environment.model import StoragePlace, StoragePlaces
from lightning_tui.gpus.files import lines_of
from lightning_tui.persistent import persistent_storage

_NETWORK = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "lustre",
        "gpfs",
        "beegfs",
        "ceph",
        "glusterfs",
        "afs",
        "wekafs",
        "orangefs",
    }
)
_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})
_HOST = frozenset({"9p", "virtiofs", "vboxsf", "drvfs"})


def inspect_storage(
    environ: Mapping[str, str], *, runs_home: Path, folder: Path, root: Path = Path("/")
) -> StoragePlaces:
    """Look at every place where a run reads or leaves something; mounts and the platform's folders lie below `root`.

    Where the runs home is a folder on a network, a file without a name is written there, to learn its server's clock
    and whether one can really write: a server may refuse what the permissions allow (root squash).
    """
    mounts = _read_mounts(root)
    persistent = persistent_storage(environ, root)
    runs = _tried(_inspect(runs_home, mounts))
    artifacts, home = environ.get("LIGHTNING_ARTIFACTS_DIR"), environ.get("HOME")
    return StoragePlaces(
        runs_home=runs,
        folder=_inspect(folder, mounts),
        persistent=_inspect(persistent.path, mounts) if persistent else None,
        persistent_reason=persistent.reason if persistent else None,
        checkpoints=msgspec.structs.replace(runs, path=str(runs_home / "RUN" / "checkpoints"), exists=False),
        data=_inspect(persistent.path / "data", mounts) if persistent else None,
        artifacts=_inspect(Path(artifacts), mounts) if artifacts else None,
        home=_inspect(Path(home), mounts) if home else None,
    )


def medium_of(file_system: str) -> str:
    """Say what kind of storage a file system's type is: `local`, `network`, `fuse`, `memory` or `host`."""
    if file_system == "fuse" or file_system.startswith("fuse."):
        return "fuse"
    for medium, types in (("network", _NETWORK), ("memory", _MEMORY), ("host", _HOST)):
        if file_system in types:
            return medium
    return "local"


class _Mount(NamedTuple):
    point: Path
    file_system: str
    read_only: bool


def _inspect(path: Path, mounts: list[_Mount]) -> StoragePlace:
    try:
        nearest = _nearest_existing(path.absolute())
        answer = os.statvfs(nearest)
        is_folder = stat.S_ISDIR(nearest.stat().st_mode)
        writable = os.access(nearest, os.W_OK | os.X_OK)
    except OSError as error:
        return StoragePlace(path=str(path), error=error.strerror or str(error))
    mount = _mount_of(nearest.resolve(), mounts)
    return StoragePlace(
        path=str(path),
        exists=nearest == path.absolute(),
        writable=writable,
        free=answer.f_frsize * answer.f_bavail if answer.f_blocks else None,
        total=answer.f_frsize * answer.f_blocks or None,
        file_system=mount.file_system if mount else None,
        medium=medium_of(mount.file_system) if mount else None,
        mount=str(mount.point) if mount else None,
        read_only=mount.read_only if mount else None,
        error=None if is_folder else f"{nearest} is a file, not a folder",
    )


def _tried(place: StoragePlace) -> StoragePlace:
    """Try a folder on a network by a file without a name; on other storage the clock is ours and permissions hold."""
    if place.medium != "network" or not place.exists or place.error or not place.writable:
        return place
    import tempfile  # here, since most machines need it never and every start would pay

    try:
        with tempfile.TemporaryFile(dir=place.path) as file:
            written = os.fstat(file.fileno()).st_mtime
    except OSError as error:
        return msgspec.structs.replace(place, writable=False, error=error.strerror or str(error))
    return msgspec.structs.replace(place, time_ahead_s=written - time.time())


def _nearest_existing(path: Path) -> Path:
    """Find the folder itself, or the nearest above it that is there.

    Raises:
        OSError: it cannot be told (no permission, a broken mount).
    """
    for place in (path, *path.parents):
        try:
            place.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        return place
    raise FileNotFoundError(f"no part of {path} exists")


def _mount_of(path: Path, mounts: list[_Mount]) -> _Mount | None:
    """Find the mount that holds the path: the deepest, and of several on one point the last."""
    holding = [mount for mount in mounts if path.is_relative_to(mount.point)]
    return max(reversed(holding), key=lambda mount: len(mount.point.parts), default=None)


def _read_mounts(root: Path) -> list[_Mount]:
    """Read /proc/self/mountinfo: mount point and options are words five and six, the type follows the dash."""
    mounts = []
    for line in lines_of(root / "proc/self/mountinfo"):
        before, dash, after = line.partition(" - ")
        words = before.split(" ")
        if dash and len(words) > 5:
            mounts.append(_Mount(Path(_unescaped(words[4])), after.split(" ")[0], "ro" in words[5].split(",")))
    return mounts


def _unescaped(path: str) -> str:
    """Blanks in mount points are written as \\040."""
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), path)
