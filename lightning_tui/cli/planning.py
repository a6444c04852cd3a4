"""Commands about plans: plan, which says what suits and what cannot work and why; export, which takes one elsewhere."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence

import msgspec

from lightning_tui.cli import DONE, WRONG_USAGE
from lightning_tui.cli.arguments import choice_of, interpreter_of, plan_of, settings_of
from lightning_tui.cli.terminal import say, write_output, written
from lightning_tui.cli.tuning import terminated_as_interrupted
from lightning_tui.cli.watching import store_of
from lightning_tui.plan.catalog import Choice
from lightning_tui.plan.sources import read_plan_file
from lightning_tui.record.masking import MASK, mask_secrets
from lightning_tui.refusal import UsageError
from lightning_tui.services import plans
from lightning_tui.services.cases import PlanCase
from lightning_tui.services.estimating import Measured, NotMeasuredError, measure, measured_before
from lightning_tui.services.machine import inspect_machine, inspect_software
from lightning_tui.services.programs import ProgramChoice, find_program
from lightning_tui.settings import Settings
from lightning_tui.text.safe import harmless


def plan(arguments: argparse.Namespace) -> int:
    """`lightning-tui plan [PLAN] -- PROGRAM`."""
    asked, settings = plan_of(arguments), settings_of(arguments)
    choice = choice_of(arguments)
    interpreter = find_program(choice, os.environ).interpreter if choice.given else choice.interpreter
    case = PlanCase(asked, choice, inspect_machine(settings, os.environ, interpreter))
    measured = _measured(settings, choice, runs=arguments.probe and plans.may_import_lightning(case))
    advice = plans.advise(case, interpreter, measured)
    if arguments.json:
        print(json.dumps(msgspec.to_builtins(advice)))
    else:
        print("\n".join(harmless(line) for line in _report_lines(advice)))
    if advice.refused is not None:
        say(advice.refused)
        return WRONG_USAGE
    return DONE


def export(arguments: argparse.Namespace) -> int:
    """`lightning-tui export RUN|--plan FILE --as command|python|yaml`."""
    source = _source(arguments)
    if arguments.form == "command" and any(MASK in word for word in source.words):
        say(f"secrets of the program are masked ({MASK}): insert them yourself")
    interpreter = source.interpreter or interpreter_of(arguments)[0]
    text = plans.export(source, arguments.form, lambda: inspect_software(interpreter)).text
    write_output(text.encode(errors="replace"), sys.stdout.buffer, to_terminal=sys.stdout.isatty())
    return DONE


def _measured(settings: Settings, choice: ProgramChoice, *, runs: bool) -> Measured | None:
    """What the program would train: as it was found before, or now where that is asked for."""
    if not choice.given:
        return None
    program = find_program(choice, os.environ)
    try:
        with terminated_as_interrupted():
            measured = (
                measure(settings, os.environ, program, fresh=False) if runs else measured_before(settings, program)
            )
    except NotMeasuredError as error:
        say(f"the model's memory is not known: {str(error).splitlines()[0]}")
        return None
    if measured is None:
        say("the model's memory is not known: measure it with --probe, which runs the program up to its first step")
    return measured


def _source(arguments: argparse.Namespace) -> plans.ExportSource:
    if (arguments.run is None) == (arguments.plan is None):
        raise UsageError("export takes either a RUN, or --plan FILE.")
    if arguments.plan is not None:
        return plans.ExportSource(read_plan_file(arguments.plan), mask_secrets(arguments.program or []))
    return plans.source_of_run(store_of(arguments).find(arguments.run))


def _report_lines(advice: plans.PlanAdvice) -> Iterable[str]:
    yield "Plan"
    yield from _columns([(name, written(value), advice.reasons[name]) for name, value in advice.plan.items()])
    for title, choices in (("Strategies", advice.strategies), ("Precisions", advice.precisions)):
        yield ""
        yield f"{title}   ★ recommended   ✖ cannot work here"
        yield from _columns([(_glyph(choice), choice.name, choice.reason) for choice in choices])
    yield ""
    yield "Presets"
    for entry in advice.presets:
        values = " ".join(f"{name}={written(value)}" for name, value in entry["plan"].items())
        glyph = " " if entry["available"] else "✖"
        yield f"  {glyph}  {entry['name']}: {entry['reason']}"
        yield f"       {values}"


def _glyph(choice: Choice) -> str:
    if not choice.available:
        return "✖"
    return "★" if choice.recommended else " "


def _columns(rows: Sequence[tuple[str, str, str]]) -> Iterable[str]:
    widths = [max(len(row[place]) for row in rows) for place in (0, 1)] if rows else []
    for first, second, rest in rows:
        yield f"  {first:<{widths[0]}}  {second:<{widths[1]}}  {rest}".rstrip()
