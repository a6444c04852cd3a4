"""Rules about the places where a run reads and leaves something."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from lightning_tui.environment.model import Environment, Finding, StoragePlace
from lightning_tui.text.units import GIB, size

DISK_SPENT = 1 * GIB
DISK_LOW = 10 * GIB
"""A checkpoint of a model of a billion parameters takes 12 GB with its optimizer's state."""

CLOCK_OFF_S = 5.0

_MOVE = "Choose another runs home with --home or LIGHTNING_TUI_HOME"


def _runs_home(environment: Environment) -> Iterator[Finding]:
    place = environment.storage.runs_home
    trouble = place.error or _no_writing(place)
    if trouble is not None:
        yield Finding(
            "runs-home",
            "error",
            "The runs home cannot be used" if place.exists else "The runs home cannot be created",
            f"{place.path}: {trouble}.",
            f"{_MOVE}, or correct the permissions.",
        )


def _no_writing(place: StoragePlace) -> str | None:
    if place.writable is not False:
        return None
    return "it is mounted read-only" if place.read_only else "no permission to write"


def _low_disk(environment: Environment) -> Iterator[Finding]:
    storage = environment.storage
    seen = set()
    for what, place in (("runs and their checkpoints", storage.runs_home), ("this folder", storage.folder)):
        if place.free is None or place.free >= DISK_LOW or place.mount in seen:
            continue
        seen.add(place.mount or place.path)
        yield Finding(
            "low-disk",
            "error" if place.free < DISK_SPENT else "warning",
            f"Only {size(place.free)} left for {what}",
            f"{place.path} is on {place.mount or 'a disk'} with {size(place.free)} free.",
            f"Free some space. {_MOVE}." if place is storage.runs_home else "Free some space, or work elsewhere.",
        )


def _not_persistent(environment: Environment) -> Iterator[Finding]:
    persistent, runs = environment.storage.persistent, environment.storage.runs_home
    if environment.platform.kind != "studio" or persistent is None:
        return
    if not PurePath(runs.path).is_relative_to(persistent.path):
        yield Finding(
            "runs-not-persistent",
            "warning",
            "Runs and checkpoints are not on the Studio's persistent storage",
            f"{runs.path} is lost when the Studio stops; {persistent.path} is kept.",
            f"Leave --home and LIGHTNING_TUI_HOME unset, or point them below {persistent.path}.",
        )


def _fuse(environment: Environment) -> Iterator[Finding]:
    storage = environment.storage
    places = (("Checkpoints", storage.runs_home), ("This folder", storage.folder), ("Data", storage.data))
    for what, place in places:
        if place is None or place.medium != "fuse" or (what == "Data" and not place.exists):
            continue
        is_data = what != "Checkpoints"
        effect = (
            "small reads of a data loader are slow there" if is_data else "saving is slow there, and may be interrupted"
        )
        yield Finding(
            f"fuse-{what.split()[-1].lower()}",
            "info" if is_data else "warning",
            f"{what} on a FUSE mount",
            f"{place.path} is on {place.mount} ({place.file_system}): {effect}.",
            "Copy the data to a local disk first, or stream it." if is_data else f"{_MOVE}, on a local disk.",
        )


def _artifacts(environment: Environment) -> Iterator[Finding]:
    """A finished job's results can be read back under /teamspace/jobs, and be written by nobody."""
    place = environment.storage.artifacts
    if place is not None and (place.error or place.writable is False):
        yield Finding(
            "artifacts-read-only",
            "error",
            "The folder for the job's artifacts cannot be written to",
            f"LIGHTNING_ARTIFACTS_DIR={place.path}: {place.error or _no_writing(place)}.",
            "Write results to the job's own folder; those of finished jobs, under /teamspace/jobs, can only be read.",
        )


def _root_squash(environment: Environment) -> Iterator[Finding]:
    home = environment.storage.home
    if environment.session.uid == 0 and home is not None and home.medium == "network" and home.writable is False:
        yield Finding(
            "root-squash",
            "warning",
            "root cannot write to its own home folder",
            f"{home.path} is on a network ({home.file_system}), whose server maps root to nobody.",
            "Work as an ordinary user, or put runs, settings and caches on a local disk (--home, XDG_CONFIG_HOME, "
            "HF_HOME).",
        )


def _clock_of_server(environment: Environment) -> Iterator[Finding]:
    ahead = environment.storage.runs_home.time_ahead_s
    if ahead is not None and abs(ahead) > CLOCK_OFF_S:
        yield Finding(
            "clock-apart",
            "warning",
            f"The clocks of this machine and of the file server differ by {abs(ahead):.0f} s",
            f"A file just written to {environment.storage.runs_home.path} seems to be from the "
            f"{'future' if ahead > 0 else 'past'}: ages of checkpoints and runs will be wrong.",
            "Set the clock by the network (timedatectl set-ntp true, or chronyd).",
        )


RULES = (_runs_home, _low_disk, _artifacts, _not_persistent, _fuse, _root_squash, _clock_of_server)
