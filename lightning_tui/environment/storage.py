"""What storage lies below the places that matter, and of what kind is it?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from lightning_tui.environment.model import Place, Storage
from lightning_tui.environment.platform import STUDIO_HOME

PERSISTENT_VARIABLE = "LIGHTNING_PERSISTENT_PATH"

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


def inspect_storage(environ: Mapping[str, str], *, runs_home: Path, folder: Path, root: Path = Path("/")) -> Storage:
    """Look at the runs home, the current folder and the platform's persistent storage; mounts are read below `root`."""
    mounts = _read_mounts(root)
    persistent = _persistent(environ, root)
    return Storage(
        runs_home=_look(runs_home, mounts),
        folder=_look(folder, mounts),
        persistent=_look(persistent, mounts) if persistent else None,
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


def _persistent(environ: Mapping[str, str], root: Path) -> Path | None:
    if named := environ.get(PERSISTENT_VARIABLE):
        return Path(named)
    studio = root / STUDIO_HOME
    return studio if os.path.isdir(studio) else None  # noqa: PTH112 (Path.is_dir raises on a broken mount)


def _look(path: Path, mounts: list[_Mount]) -> Place:
    try:
        nearest = _nearest_existing(path.absolute())
        answer = os.statvfs(nearest)
        writable = os.access(nearest, os.W_OK)
    except OSError as error:
        return Place(path=str(path), error=error.strerror or str(error))
    mount = _mount_of(nearest.resolve(), mounts)
    return Place(
        path=str(path),
        exists=nearest == path.absolute(),
        writable=writable,
        free=answer.f_frsize * answer.f_bavail if answer.f_blocks else None,
        total=answer.f_frsize * answer.f_blocks or None,
        file_system=mount.file_system if mount else None,
        medium=medium_of(mount.file_system) if mount else None,
        mount=str(mount.point) if mount else None,
    )


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
    raise FileNotFoundError(f"nothing of {path} exists")


def _mount_of(path: Path, mounts: list[_Mount]) -> _Mount | None:
    """Find the mount that holds the path: the deepest, and of several on one point the last."""
    holding = [mount for mount in mounts if path.is_relative_to(mount.point)]
    return max(reversed(holding), key=lambda mount: len(mount.point.parts), default=None)


def _read_mounts(root: Path) -> list[_Mount]:
    """Read /proc/self/mountinfo: the mount point is its fifth word, the type follows the lone dash."""
    try:
        lines = (root / "proc/self/mountinfo").read_text(errors="replace").splitlines()
    except OSError:
        return []
    mounts = []
    for line in lines:
        before, dash, after = line.partition(" - ")
        words = before.split(" ")
        if dash and len(words) > 4:
            point = words[4].encode("latin-1", "replace").decode("unicode_escape")  # blanks are written as \040
            mounts.append(_Mount(Path(point), after.split(" ")[0]))
    return mounts
