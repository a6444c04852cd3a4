"""What suits here, what cannot work, and where does a plan go? Choices, verdicts, saved plans and exports."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from lightning_tui.environment import Software, reason_not_to_start
from lightning_tui.plan.catalog import Choice, precision_choices, strategy_choices
from lightning_tui.plan.checks import find_obstacles
from lightning_tui.plan.export import as_command, as_plain_command, as_python, as_yaml
from lightning_tui.plan.facts import MachineFacts, facts_under, machine_facts
from lightning_tui.plan.model import KINDS, Plan, plan_from_mapping
from lightning_tui.plan.outlook import estimates_by
from lightning_tui.plan.presets import PRESETS, RECOMMENDED
from lightning_tui.plan.recommended import Recommendation
from lightning_tui.plan.recommended import recommend as recommended
from lightning_tui.plan.registered import registered_strategies, remembered_strategies
from lightning_tui.plan.saved import SavedPlans
from lightning_tui.record import RunDirectory
from lightning_tui.record.masking import mask_secrets
from lightning_tui.refusal import RefusalError, UsageError
from lightning_tui.services.cases import Export, FieldChoices, Judgement, PlanCase
from lightning_tui.services.estimating import Measured
from lightning_tui.services.programs import ProgramChoice

Form = Literal["command", "python", "yaml"]

_PRESET_WORDS = {
    "lightning_cloud": "Lightning's interactive machines",
    "lightning_compute": "Lightning's compute nodes",
}


class NothingKnownError(RefusalError):
    """The machine has not been looked at yet."""


class NotWrittenError(RefusalError):
    """A file could not be written."""


class NoProgramError(UsageError):
    """A command line needs the program that it starts."""


class PlanAdvice(msgspec.Struct, frozen=True):
    """A plan with what is recommended where it says nothing, and all that could stand in it."""

    plan: dict[str, Any]
    reasons: dict[str, str]
    refused: str | None
    """Why the plan cannot work here, where it cannot."""
    strategies: list[Choice]
    precisions: list[Choice]
    presets: list[dict[str, Any]]


def choices(field_name: str, case: PlanCase, measured: Measured | None, is_patient: bool) -> FieldChoices:
    """What a field may be set to. Of the strategies, only the program's own Lightning knows which there are: asking it
    takes seconds, for which there `is_patient`ence, or what it said before is all."""
    registered: list[str] | None = []
    if field_name == "strategy" and case.program is not None and may_import_lightning(case):
        ask = registered_strategies if is_patient else remembered_strategies
        registered = ask(case.program.interpreter)
    found = field_choices(field_name, case, measured, registered or ())
    return replace(found, is_complete=registered is not None)


def field_choices(
    field_name: str, case: PlanCase, measured: Measured | None = None, registered: Sequence[str] = ()
) -> FieldChoices:
    """What a field may be set to, with memory where the program was measured; pure."""
    facts = facts_under(_facts(case), case.plan)
    if field_name == "strategy":
        best = _best(case, measured).get("strategy")
        return _with_estimates(strategy_choices(facts, registered=registered, best=best), field_name, case, measured)
    if field_name == "precision":
        best = _best(case, measured).get("precision")
        found = precision_choices(facts, strategy=case.plan.strategy, best=best)
        return _with_estimates(found, field_name, case, measured)
    if field_name == "devices":
        return FieldChoices(_device_choices(_facts(case)))
    return FieldChoices(_plain_choices(field_name))


def may_import_lightning(case: PlanCase) -> bool:
    """Whether the program's interpreter may import its Lightning: not where it is a compromised release."""
    software = case.environment.software if case.environment is not None else None
    return software is not None and software.error is None and reason_not_to_start(software) is None


def _device_choices(facts: MachineFacts) -> list[Choice]:
    kind = "GPU" if facts.gpus else "process"
    several = "GPUs" if facts.gpus else "processes on the CPU"
    most = min(facts.gpus or facts.cpus or 1, 8)
    counted = [Choice(str(n), True, f"{n} {kind if n == 1 else several}") for n in range(1, most + 1)]
    return [Choice("auto", True, "all GPUs, or one process if there is none"), *counted]


def _plain_choices(field_name: str) -> list[Choice]:
    """The values of a field that can be listed, without an opinion."""
    kind = KINDS.get(field_name)
    return [Choice(name, True, "") for name in kind.choices] if kind is not None else []


def _with_estimates(
    choices: Sequence[Choice], field_name: str, case: PlanCase, measured: Measured | None
) -> FieldChoices:
    facts = _facts(case)
    if measured is None or measured.probe.parameters is None:
        return FieldChoices(choices)
    names = [choice.name for choice in choices if choice.available]
    found = estimates_by(field_name, names, measured.probe, case.plan, facts, measured.calibration)
    return FieldChoices(choices, found, facts.gpu_memory if facts.gpus else None)


def recommend(case: PlanCase, measured: Measured | None = None) -> Recommendation:
    """What is recommended for the devices that the plan takes.

    Raises:
        NothingKnownError: the machine is not known.
    """
    if case.environment is None:
        raise NothingKnownError("The machine has not been inspected yet. Try again in a moment.")
    probe = measured.probe if measured is not None and measured.probe.error is None else None
    return recommended(facts_under(_facts(case), case.plan), case.environment, probe)


def _best(case: PlanCase, measured: Measured | None) -> dict[str, Any]:
    return recommend(case, measured).plan.changes() if case.environment is not None else {}


def judge(case: PlanCase, measured: Measured | None = None) -> Judgement:
    """What is known of a plan. Only for a strategy that nobody knows is the interpreter asked."""
    facts = _facts(case)
    problems: tuple[str, ...] = ()
    if case.environment is not None and case.program is not None:
        problems = tuple(find_obstacles(case.plan, facts=facts, interpreter=case.program.interpreter))
    return Judgement(
        problems=problems,
        recommended=_best(case, measured),
        memory=measured.outlook(case.plan, facts) if measured is not None else None,
        unmeasured_because=measured.probe.error or "" if measured is not None else "",
    )


def _facts(case: PlanCase) -> MachineFacts:
    return machine_facts(case.environment) if case.environment is not None else MachineFacts()


def advise(case: PlanCase, interpreter: Path, measured: Measured | None = None) -> PlanAdvice:
    """Complete a plan by what is recommended, and list what could stand in it; the interpreter is asked for its
    strategies.

    Raises:
        NothingKnownError: the machine is not known.
    """
    facts, recommendation = _facts(case), recommend(case, measured)
    together = msgspec.structs.replace(recommendation.plan, **case.plan.changes())
    registered = registered_strategies(interpreter)  # imports no release that must not run
    return PlanAdvice(
        plan=together.changes(),
        reasons={**recommendation.reasons, **dict.fromkeys(case.plan.changes(), "as asked")},
        refused=next(find_obstacles(together, facts=facts, interpreter=interpreter), None),
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

    found = [entry(RECOMMENDED, recommendation.plan, "computed for this machine")]
    return [*found, *(entry(name, values, _PRESET_WORDS[name]) for name, values in PRESETS.items())]


def saved_plans(home: Path, case: PlanCase) -> SavedPlans:
    """The plans that are saved for the program's folder; they raise `PlanError`."""
    return SavedPlans(home, case.program.folder if case.program is not None else Path.cwd())


class ExportSource(msgspec.Struct, frozen=True):
    """What is exported."""

    plan: Plan
    words: Sequence[str]
    """The program's, secrets masked."""
    interpreter: Path | None = None
    """Where it is to be this one."""
    folder: Path | None = None


def source_of_run(directory: RunDirectory) -> ExportSource:
    """A run's plan and program.

    Raises:
        RecordError, PlanError: it, or its plan, cannot be read.
    """
    record = directory.read_record()
    program = record.program
    return ExportSource(plan_from_mapping(record.plan), program.given, Path(program.interpreter), Path(program.folder))


def source_of_choice(plan: Plan, program: ProgramChoice | None) -> ExportSource:
    """A plan for a program that is chosen; its folder is said where it is not the current one."""
    if program is None:
        return ExportSource(plan, ())
    interpreter = program.interpreter if program.interpreter_is_given else None
    folder = program.folder if program.folder != Path.cwd() else None
    return ExportSource(plan, mask_secrets(program.given), interpreter, folder)


def export(source: ExportSource, form: Form, ask_software: Callable[[], Software | None]) -> Export:
    """The plan in a form; which package the code imports depends on what the program's interpreter has.

    Raises:
        NoProgramError: a command is asked for, and there is no program.
    """
    if form == "command":
        return Export("Command", _command_lines(source), "train.sh")
    flavour = _flavour(ask_software())
    if form == "python":
        return Export("Python", as_python(source.plan, flavour), "trainer.py")
    return Export("YAML", as_yaml(source.plan, flavour), "trainer.yaml")


def exports(case: PlanCase) -> Sequence[Export]:
    """The plan in all its forms, the command where there is a program."""
    source = source_of_choice(case.plan, case.program)
    software = case.environment.software if case.environment is not None else None
    forms: tuple[Form, ...] = ("command", "python", "yaml") if source.words else ("python", "yaml")
    return [export(source, form, lambda: software) for form in forms]


def _command_lines(source: ExportSource) -> str:
    """The command with us, and as comments what else there is to know; all in one piece that a shell takes."""
    if not source.words:
        raise NoProgramError("A command needs a program: lightning-tui export --plan FILE --as command -- train.py")
    python = str(source.interpreter) if source.interpreter is not None else "python"
    lines = [as_command(source.words, source.plan, python=source.interpreter)]
    if source.folder is not None:
        lines.append(f"# Its folder: {shlex.quote(str(source.folder))}")
    lines += ["# The program without a plan:", f"# {as_plain_command(source.words, python)}"]
    return "".join(f"{_printable(line)}\n" for line in lines)


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else "·" for c in line)


def _flavour(software: Software | None) -> str:
    """The package that the program's interpreter has; of both, the newer name."""
    has_only_old = software is not None and software.lightning is None and software.pytorch_lightning is not None
    return "pytorch_lightning" if has_only_old else "lightning.pytorch"


def write_new(path: Path, text: str) -> None:
    """Write a new file.

    Raises:
        NotWrittenError: there is one already, or it cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text if text.endswith("\n") else f"{text}\n")
    except FileExistsError as error:
        message = f"The file {path} already exists and was not changed. Choose another name."
        raise NotWrittenError(message) from error
    except OSError as error:
        raise NotWrittenError(f"{path} cannot be written: {error.strerror or error}.") from error
