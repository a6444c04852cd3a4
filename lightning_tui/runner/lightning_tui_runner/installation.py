"""What is put into the program's process before its first line: wrappers that wait for Lightning to be imported."""

from __future__ import annotations

import functools
import os

from .plan.process_settings import settle
from .process.import_hook import FLAVOURS, Patch, PatchingFinder
from .process.joining import report_trouble
from .process.place import RESUME_VARIABLE, Place
from .process.reporter import warn
from .relaunch import wrap_launcher
from .wrapped_trainer import wrap_trainer


def install(place: Place) -> None:
    """Wrap the Trainer and the launcher of both flavours, when they are imported."""
    patches: dict[str, Patch] = {}
    plan = _plan(place)
    settle(plan)
    for flavour in FLAVOURS:
        patches[f"{flavour}.trainer.trainer"] = functools.partial(wrap_trainer, flavour=flavour, plan=plan)
        patches[f"{flavour}.strategies.launchers.subprocess_script"] = wrap_launcher
    PatchingFinder(patches, report_trouble).install()


def _plan(place: Place) -> dict[str, object]:
    try:
        plan = place.record().get("plan")
    except (OSError, ValueError) as error:
        warn(f"the plan cannot be read, the program runs as its script says: {error}")
        return {}
    fields = {str(name): value for name, value in plan.items() if value is not None} if isinstance(plan, dict) else {}
    resume_from = os.environ.get(RESUME_VARIABLE)  # of an attempt after a failed one
    return {**fields, "ckpt_path": resume_from} if resume_from else fields
