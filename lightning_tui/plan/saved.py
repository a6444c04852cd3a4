"""Which plans were saved under a name, for the programs of one folder?

They live beside the runs, in `<runs home>/.plans/<folder's name>-<digest of its path>/<name>.toml`: that place is
known to be writable and to last, while a project's folder may be read-only, and a file in it would turn up in its
version control. A file is an ordinary plan file: `lightning-tui run --plan FILE` takes it; it may be edited by hand.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import msgspec

from lightning_tui.files import write_whole
from lightning_tui.plan.model import Plan, PlanError
from lightning_tui.plan.sources import read_plan_file

FOLDER = ".plans"
"""Within the runs home; a run's folder never begins with a dot."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


class SavedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A file with a plan, as it was found."""

    name: str
    path: Path
    plan: Plan | None
    """`None` where the file cannot be read as a plan."""
    problem: str = ""
    """Why it cannot."""
    saved_at: float
    """When the file was written, UTC epoch seconds."""


class SavedPlans:
    """The plans that were saved for the programs of one folder."""

    def __init__(self, runs_home: Path, project: Path) -> None:
        self.project = project.absolute()
        digest = hashlib.sha256(os.fsencode(self.project)).hexdigest()[:8]
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", self.project.name).strip(".-") or "root"
        self.folder = runs_home / FOLDER / f"{plain}-{digest}"

    def all(self) -> list[SavedPlan]:
        """Every saved plan, by name; one that is broken tells why. Where nothing was saved yet the list is empty.

        Raises:
            PlanError: the folder exists and cannot be read.
        """
        try:
            paths = sorted(path for path in self.folder.iterdir() if path.suffix == ".toml")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise PlanError(f"The saved plans in {self.folder} cannot be read: {error.strerror or error}.") from error
        return [_read(path) for path in paths]

    def load(self, name: str) -> Plan:
        """Read one.

        Raises:
            PlanError: there is none of that name, or its file is no TOML or no plan.
        """
        path = self.path(name)
        if not path.is_file():
            names = ", ".join(found.name for found in self.all()) or "none"
            raise PlanError(f"No saved plan is called {name!r}. Saved for {self.project}: {names}.")
        return read_plan_file(path)

    def save(self, name: str, plan: Plan) -> Path:
        """Write a plan, in place of one of the same name; the file is there whole or not at all.

        Raises:
            PlanError: the name cannot be taken, nothing is set in the plan, or the file cannot be written.
        """
        path = self.path(name)
        if not plan.changes():
            raise PlanError(f"This plan sets no field: {name!r} would change nothing.")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(path, f"# Plan for programs in {str(self.project)!r}\n{plan.to_toml()}".encode())
        except OSError as error:
            raise PlanError(f"The plan cannot be saved as {path}: {error.strerror or error}.") from error
        return path

    def delete(self, name: str) -> None:
        """Delete one; nothing happens where it is gone already.

        Raises:
            PlanError: the file cannot be deleted.
        """
        path = self.path(name)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise PlanError(f"The saved plan {path} cannot be deleted: {error.strerror or error}.") from error

    def path(self, name: str) -> Path:
        """Where the plan of this name is, or would be.

        Raises:
            PlanError: the name cannot be one.
        """
        return self.folder / f"{checked_name(name)}.toml"


def checked_name(name: str) -> str:
    """Return the name without blanks around it.

    Raises:
        PlanError: the name cannot be one.
    """
    if not _NAME.fullmatch(name.strip()):
        raise PlanError(
            f"{name!r} is not a valid name of a plan. Allowed: 1 to 40 letters, digits, dots, dashes and "
            "underscores, starting with a letter or digit."
        )
    return name.strip()


def _read(path: Path) -> SavedPlan:
    try:
        plan, problem = read_plan_file(path), ""
    except PlanError as error:
        plan, problem = None, str(error)
    try:
        saved_at = path.stat().st_mtime
    except OSError:
        saved_at = 0.0
    return SavedPlan(name=path.stem, path=path, plan=plan, problem=problem, saved_at=saved_at)
