"""What is put into the program's process before its first line: wrappers that wait for Lightning to be imported."""

from __future__ import annotations

import functools
import os
import sys

from . import process, relaunch, trainer_arguments
from .import_hook import Patch, PatchingFinder
from .place import RESUME_VARIABLE, Place
from .reporter import warn

FLAVOURS = ("lightning.pytorch", "pytorch_lightning")


def install(place: Place) -> None:
    """Wrap the Trainer and the launcher of both flavours, when they are imported."""
    patches: dict[str, Patch] = {}
    plan = _plan(place)
    for flavour in FLAVOURS:
        wrap_trainer = functools.partial(trainer_arguments.wrap_trainer, flavour=flavour, plan=plan)
        patches[f"{flavour}.trainer.trainer"] = wrap_trainer
        patches[f"{flavour}.strategies.launchers.subprocess_script"] = relaunch.wrap_launcher
    finder = PatchingFinder(patches, _on_trouble)
    sys.meta_path.insert(0, finder)
    finder.patch_what_is_imported()


def shown_arguments(place: Place, words: list[str]) -> list[str]:
    """Return the program's words as they may be written down: the run's record has them with secrets masked."""
    try:
        program = place.record()["program"]
        given = program["given"] if isinstance(program, dict) else None
    except (OSError, ValueError, KeyError):
        given = None
    return [str(word) for word in given] if isinstance(given, list) else words[:1]


def _plan(place: Place) -> dict[str, object]:
    try:
        plan = place.record().get("plan")
    except (OSError, ValueError) as error:
        warn(f"the plan cannot be read, the program runs as its script says: {error}")
        return {}
    fields = {str(name): value for name, value in plan.items() if value is not None} if isinstance(plan, dict) else {}
    resume_from = os.environ.get(RESUME_VARIABLE)  # of an attempt after a failed one
    return {**fields, "ckpt_path": resume_from} if resume_from else fields


def _on_trouble(error: Exception) -> None:
    reporter = process.current()
    if reporter is not None:
        reporter.trouble(error)
