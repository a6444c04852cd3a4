"""Commands about plans: plan, which says what suits and what cannot work and why; export, which takes one elsewhere."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lightning_tui.cli import DONE, WRONG_USAGE
from lightning_tui.cli.arguments import interpreter_of, program_of
from lightning_tui.cli.plans import environment_of, plan_of
from lightning_tui.cli.terminal import say, write_output
from lightning_tui.cli.watching import store_of
from lightning_tui.environment import Environment, probe_software, reason_not_to_start
from lightning_tui.launch import Program, ProgramError
from lightning_tui.plan import (
    PRESETS,
    RECOMMENDED,
    Choice,
    MachineFacts,
    Plan,
    Recommendation,
    as_command,
    as_plain_command,
    as_python,
    as_yaml,
    facts_under,
    find_obstacles,
    machine_facts,
    plan_from_mapping,
    precision_choices,
    read_plan_file,
    recommend,
    registered_strategies,
    strategy_choices,
)
from lightning_tui.record.masking import MASK, mask_secrets
from lightning_tui.text.safe import harmless

if TYPE_CHECKING:
    from lightning_tui.plan.probe import ProgramProbe

_PRESET_WORDS = {
    "lightning_cloud": "Lightning's interactive machines",
    "lightning_compute": "Lightning's compute nodes",
}


class _Advice(msgspec.Struct, frozen=True):
    """What `plan` has to say."""

    plan: dict[str, Any]
    reasons: dict[str, str]
    refused: str | None
    """Why the plan cannot work here, where it cannot."""
    strategies: list[Choice]
    precisions: list[Choice]
    presets: list[dict[str, Any]]


def plan(arguments: argparse.Namespace) -> int:
    """`lightning-tui plan [PLAN] -- PROGRAM`."""
    asked = plan_of(arguments)
    program = program_of(arguments) if arguments.program else None
    interpreter = program.interpreter if program is not None else interpreter_of(arguments)[0]
    environment = environment_of(arguments, interpreter, Path.cwd())
    advice = _advise(asked, environment, interpreter, _probe(arguments, program, environment))
    if arguments.json:
        print(json.dumps(msgspec.to_builtins(advice)))
    else:
        print("\n".join(harmless(line) for line in _lines(advice)))
    if advice.refused is not None:
        say(advice.refused)
        return WRONG_USAGE
    return DONE


def export(arguments: argparse.Namespace) -> int:
    """`lightning-tui export RUN|--plan FILE --as command|python|yaml`."""
    source = _source(arguments)
    if arguments.form == "command":
        text = _commands(source)
    else:
        software = probe_software(source.interpreter or interpreter_of(arguments)[0])
        only_standalone = software.lightning is None and software.pytorch_lightning is not None
        write = as_python if arguments.form == "python" else as_yaml
        text = write(source.plan, "pytorch_lightning" if only_standalone else "lightning.pytorch")
    write_output(text.encode(errors="replace"), sys.stdout.buffer, to_terminal=sys.stdout.isatty())
    return DONE


# ---------------------------------------------------------------------------------------------------------------- plan


def _probe(arguments: argparse.Namespace, program: Program | None, environment: Environment) -> ProgramProbe | None:
    """What the program would train: as it was found before, or now where that is asked for."""
    from lightning_tui.cli.tuning import terminated_as_interrupted
    from lightning_tui.launch.probing import probe_program, remembered_probe

    if program is None:
        return None
    may_run = environment.software is not None and reason_not_to_start(environment.software) is None
    with terminated_as_interrupted():
        probe = probe_program(program) if arguments.probe and may_run else remembered_probe(program)
    if probe is not None and probe.error is not None:
        say(f"the model's memory is not known: {probe.error.splitlines()[0]}")
        return None
    if probe is None:
        say("the model's memory is not known: with --probe the program is run up to its first step to find out")
    return probe


def _advise(asked: Plan, environment: Environment, interpreter: Path, probe: ProgramProbe | None) -> _Advice:
    facts = machine_facts(environment)
    recommendation = recommend(facts_under(facts, asked), environment, probe)
    together = msgspec.structs.replace(recommendation.plan, **asked.changes())
    refused = next(find_obstacles(together, facts=facts, interpreter=interpreter), None)
    registered = registered_strategies(interpreter)  # imports no release that must not run
    return _Advice(
        plan=together.changes(),
        reasons={**recommendation.reasons, **dict.fromkeys(asked.changes(), "as asked")},
        refused=refused,
        strategies=strategy_choices(facts, registered=registered, best=recommendation.plan.strategy),
        precisions=precision_choices(facts, strategy=together.strategy, best=recommendation.plan.precision),
        presets=_presets(recommendation, facts, interpreter),
    )


def _presets(recommendation: Recommendation, facts: MachineFacts, interpreter: Path) -> list[dict[str, Any]]:
    def entry(name: str, values: Plan, words: str) -> dict[str, Any]:
        obstacle = next(find_obstacles(values, facts=facts, interpreter=interpreter), None)
        return {
            "name": name,
            "available": obstacle is None,
            "reason": obstacle or words,
            "recommended": name == RECOMMENDED,
            "plan": values.changes(),
        }

    found = [entry(RECOMMENDED, recommendation.plan, "worked out for this machine")]
    return [*found, *(entry(name, values, _PRESET_WORDS[name]) for name, values in PRESETS.items())]


def _lines(advice: _Advice) -> Iterable[str]:
    yield "Plan"
    yield from _columns([(name, _shown(value), advice.reasons[name]) for name, value in advice.plan.items()])
    for title, choices in (("Strategies", advice.strategies), ("Precisions", advice.precisions)):
        yield ""
        yield f"{title}   ★ recommended   ✖ cannot work here"
        yield from _columns([(_glyph(choice), choice.name, choice.reason) for choice in choices])
    yield ""
    yield "Presets"
    for entry in advice.presets:
        values = " ".join(f"{name}={_shown(value)}" for name, value in entry["plan"].items())
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


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


# -------------------------------------------------------------------------------------------------------------- export


class _Source(msgspec.Struct, frozen=True):
    """What is exported."""

    plan: Plan
    words: list[str]
    """The program's, secrets masked."""
    interpreter: Path | None = None
    folder: str | None = None


def _source(arguments: argparse.Namespace) -> _Source:
    if (arguments.run is None) == (arguments.plan is None):
        raise ProgramError("export takes either a RUN, or --plan FILE.")
    if arguments.plan is not None:
        return _Source(read_plan_file(arguments.plan), mask_secrets(arguments.program or []))
    record = store_of(arguments).find(arguments.run).read_record()
    program = record.program
    return _Source(plan_from_mapping(record.plan), program.given, Path(program.interpreter), program.folder)


def _commands(source: _Source) -> str:
    """The command with us, and as comments what else there is to know; all in one piece that a shell takes."""
    if not source.words:
        raise ProgramError("A command needs its program: lightning-tui export --plan FILE --as command -- train.py")
    if any(MASK in word for word in source.words):
        say(f"secrets of the program are masked ({MASK}): put them in yourself")
    python = str(source.interpreter) if source.interpreter is not None else "python"
    lines = [as_command(source.words, source.plan, python=source.interpreter)]
    if source.folder is not None:
        lines.append(f"# Its folder: {shlex.quote(source.folder)}")
    lines += ["# The program alone, as its script says:", f"# {as_plain_command(source.words, python)}"]
    return "\n".join(harmless(line) for line in lines) + "\n"
