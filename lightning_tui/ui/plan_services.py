"""What the cockpit asks of the house about plans: choices, verdicts, memory, saved plans, exports. Each in a thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lightning_tui.ui.services import ProgramChoice, RefusalError, after_loading, refusals

if TYPE_CHECKING:
    from lightning_tui.environment import Environment
    from lightning_tui.launch import Program
    from lightning_tui.plan.catalog import Choice
    from lightning_tui.plan.estimate import Estimate
    from lightning_tui.plan.facts import MachineFacts
    from lightning_tui.plan.model import Plan
    from lightning_tui.plan.outlook import Outlook
    from lightning_tui.plan.probe import ProgramProbe
    from lightning_tui.plan.recommended import Recommendation
    from lightning_tui.plan.saved import SavedPlan, SavedPlans
    from lightning_tui.settings import Settings

MEASURE_PATIENCE_S = 300.0
"""How long a program may take to come to its fit when its memory is measured."""
_LOOK_AGAIN_S = 10.0
"""How long it is believed that the files of a program have not changed."""


class PlanCase(msgspec.Struct, frozen=True):
    """A plan, and what it is for: the question that all of these are asked."""

    plan: Plan
    program: ProgramChoice | None
    environment: Environment | None


@dataclass(frozen=True)
class Judgement:
    """What is known of a plan without starting it."""

    problems: tuple[str, ...] = ()
    """What surely keeps it from working, a sentence each."""
    recommended: Mapping[str, object] = field(default_factory=dict)
    """Values of the fields that would be recommended."""
    memory: Outlook | None = None
    """`None` where the program was not measured yet."""
    unmeasured_because: str = ""
    """Why the program's memory could not be measured, where that was tried."""


@dataclass(frozen=True)
class FieldChoices:
    """What a field may be set to."""

    choices: Sequence[Choice] = ()
    """Empty where any value may be typed."""
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    """Memory by the choice's name."""
    capacity: int | None = None
    is_complete: bool = True
    """Whether nothing more can be learnt of them by asking again, patiently."""


class Export(msgspec.Struct, frozen=True):
    """The plan in one form."""

    title: str
    text: str
    """Secrets masked."""
    file_name: str
    """What a file with it would be called."""


class PlanServices(msgspec.Struct, frozen=True):
    """Each callable may raise `RefusalError`."""

    choices: Callable[[str, PlanCase, bool], FieldChoices]
    """The field, and whether there is patience: then it may take seconds, else it answers at once."""
    judge: Callable[[PlanCase], Judgement]
    recommend: Callable[[PlanCase], Recommendation]
    measure: Callable[[PlanCase, Callable[[], bool]], Judgement]
    """Run the program up to its fit and look at its model. The callable says whether it was given up."""
    saved: Callable[[PlanCase], Sequence[SavedPlan]]
    save: Callable[[PlanCase, str], Path]
    delete: Callable[[PlanCase, str], None]
    exports: Callable[[PlanCase], Sequence[Export]]
    write: Callable[[Path, str], None]
    """Write a new file."""


def real_plan_services(settings: Settings, environ: Mapping[str, str]) -> PlanServices:
    """The services of a real cockpit. Imports and touches nothing slow yet."""
    probes = _Probes(environ)
    return PlanServices(
        choices=after_loading(partial(_choices, probes)),
        judge=after_loading(partial(_judge, probes)),
        recommend=after_loading(partial(_recommend, probes)),
        measure=after_loading(partial(_measure, probes)),
        saved=after_loading(partial(_saved, settings.runs_home)),
        save=after_loading(partial(_save, settings.runs_home)),
        delete=after_loading(partial(_delete, settings.runs_home)),
        exports=after_loading(exports),
        write=after_loading(_write),
    )


# ------------------------------------------------------------------------------------------------- choices and verdicts


def _choices(probes: _Probes, field_name: str, case: PlanCase, is_patient: bool) -> FieldChoices:
    """Of the strategies, only the program's own Lightning knows which there are: asking it takes seconds."""
    from lightning_tui.plan.registered import registered_strategies, remembered_strategies

    registered: list[str] | None = []
    if field_name == "strategy" and case.program is not None and _may_be_asked(case):
        ask = registered_strategies if is_patient else remembered_strategies
        registered = ask(case.program.interpreter)
    found = field_choices(field_name, case, probes.known(case), registered or ())
    return replace(found, is_complete=registered is not None)


def field_choices(
    field_name: str, case: PlanCase, probe: ProgramProbe | None = None, registered: Sequence[str] = ()
) -> FieldChoices:
    """What a field may be set to, with memory where the program was measured; pure."""
    from lightning_tui.plan.catalog import precision_choices, strategy_choices
    from lightning_tui.plan.facts import facts_under

    facts = facts_under(_facts(case), case.plan)
    if field_name == "strategy":
        return _with_estimates(strategy_choices(facts, registered=registered), field_name, case, probe)
    if field_name == "precision":
        return _with_estimates(precision_choices(facts, strategy=case.plan.strategy), field_name, case, probe)
    if field_name == "devices":
        return FieldChoices(_device_choices(_facts(case)))
    return FieldChoices(_plain_choices(field_name))


def _may_be_asked(case: PlanCase) -> bool:
    """Whether the program's interpreter may import its Lightning: not where it is a compromised release."""
    from lightning_tui.environment import reason_not_to_start

    software = case.environment.software if case.environment is not None else None
    is_known = case.program is not None and software is not None and software.error is None
    return is_known and software is not None and reason_not_to_start(software) is None


def _device_choices(facts: MachineFacts) -> list[Choice]:
    from lightning_tui.plan.catalog import Choice

    kind = "GPU" if facts.gpus else "process"
    several = "GPUs" if facts.gpus else "processes on the CPU"
    most = min(facts.gpus or facts.cpus or 1, 8)
    counted = [Choice(str(n), True, f"{n} {kind if n == 1 else several}") for n in range(1, most + 1)]
    return [Choice("auto", True, "all GPUs; one process where there is none"), *counted]


def _plain_choices(field_name: str) -> list[Choice]:
    """The values of a field that can be listed, without an opinion."""
    from lightning_tui.plan.catalog import Choice
    from lightning_tui.plan.model import KINDS

    kind = KINDS.get(field_name)
    return [Choice(name, True, "") for name in kind.choices] if kind is not None else []


def _with_estimates(
    choices: Sequence[Choice], field_name: str, case: PlanCase, probe: ProgramProbe | None
) -> FieldChoices:
    from lightning_tui.plan.outlook import estimates_by

    facts = _facts(case)
    if probe is None or probe.parameters is None:
        return FieldChoices(choices)
    names = [choice.name for choice in choices if choice.available]
    found = estimates_by(field_name, names, probe, case.plan, facts)
    return FieldChoices(choices, found, facts.gpu_memory if facts.gpus else None)


def _judge(probes: _Probes, case: PlanCase) -> Judgement:
    return judged(case, probes.known(case))


def _recommend(probes: _Probes, case: PlanCase) -> Recommendation:
    from lightning_tui.plan.recommended import recommend

    if case.environment is None:
        raise RefusalError("The machine has not been looked at yet. Try again in a moment.")
    with refusals():
        return recommend(_facts(case), case.environment, probes.known(case))


def judged(case: PlanCase, probe: ProgramProbe | None = None) -> Judgement:
    """What is known of a plan. Only for a strategy that nobody knows is the interpreter asked."""
    from lightning_tui.plan.checks import find_obstacles
    from lightning_tui.plan.outlook import outlook
    from lightning_tui.plan.recommended import recommend

    facts = _facts(case)
    problems: tuple[str, ...] = ()
    if case.environment is not None and case.program is not None:
        problems = tuple(find_obstacles(case.plan, facts=facts, interpreter=case.program.interpreter))
    suggested = recommend(facts, case.environment, probe).plan.changes() if case.environment is not None else {}
    return Judgement(
        problems=problems,
        recommended=suggested,
        memory=outlook(probe, case.plan, facts) if probe is not None and probe.parameters is not None else None,
        unmeasured_because=probe.error or "" if probe is not None else "",
    )


def _facts(case: PlanCase) -> MachineFacts:
    from lightning_tui.plan.facts import MachineFacts, machine_facts

    return machine_facts(case.environment) if case.environment is not None else MachineFacts()


# --------------------------------------------------------------------------------------------------------------- memory


class _Probes:
    """What is known of programs: from earlier probes, which are kept on disk, and by new ones."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._known: dict[ProgramChoice, tuple[float, ProgramProbe | None]] = {}

    def known(self, case: PlanCase) -> ProgramProbe | None:
        """What was found before; nothing is run. Whether the program has changed since is looked at now and then."""
        from lightning_tui.launch.probing import remembered_probe

        if case.program is None:
            return None
        looked_at, probe = self._known.get(case.program, (-_LOOK_AGAIN_S, None))
        if time.monotonic() - looked_at > _LOOK_AGAIN_S:
            program = self._resolved(case.program)
            probe = remembered_probe(program) if program is not None else None
            self._known[case.program] = (time.monotonic(), probe)
        return probe

    def found_by_running(self, case: PlanCase, is_cancelled: Callable[[], bool]) -> ProgramProbe:
        """Run the program up to its fit.

        Raises:
            RefusalError: it cannot be run, does not come so far, or was given up.
        """
        from lightning_tui.launch.probing import probe_program

        if case.program is None:
            raise RefusalError("No program is chosen yet.")
        if not _may_be_asked(case):
            raise RefusalError("What the program's Python has installed is not known, or must not be run.")
        with refusals():
            program = _resolve(case.program, self._environ)
            probe = probe_program(
                program, timeout_s=MEASURE_PATIENCE_S, cancelled=is_cancelled, environ=self._environ, fresh=True
            )
        if probe.error is not None or is_cancelled():
            raise RefusalError(probe.error or "It was given up.")
        self._known[case.program] = (time.monotonic(), probe)
        return probe

    def _resolved(self, choice: ProgramChoice) -> Program | None:
        from lightning_tui.launch import ProgramError

        try:
            return _resolve(choice, self._environ)
        except ProgramError:  # a start will say so
            return None


def _resolve(choice: ProgramChoice, environ: Mapping[str, str]) -> Program:
    from lightning_tui.launch import resolve_program

    return resolve_program(
        list(choice.given),
        interpreter=choice.interpreter,
        interpreter_is_given=choice.interpreter_is_given,
        folder=choice.folder,
        environ=environ,
    )


def _measure(probes: _Probes, case: PlanCase, is_cancelled: Callable[[], bool]) -> Judgement:
    return judged(case, probes.found_by_running(case, is_cancelled))


# --------------------------------------------------------------------------------------------------------- saved plans


def _saved_plans(home: Path, case: PlanCase) -> SavedPlans:
    from lightning_tui.plan.saved import SavedPlans

    return SavedPlans(home, case.program.folder if case.program is not None else Path.cwd())


def _saved(home: Path, case: PlanCase) -> Sequence[SavedPlan]:
    with refusals():
        return _saved_plans(home, case).all()


def _save(home: Path, case: PlanCase, name: str) -> Path:
    with refusals():
        return _saved_plans(home, case).save(name, case.plan)


def _delete(home: Path, case: PlanCase, name: str) -> None:
    with refusals():
        _saved_plans(home, case).delete(name)


# -------------------------------------------------------------------------------------------------------------- exports


def exports(case: PlanCase) -> Sequence[Export]:
    """The plan in its forms; pure."""
    from lightning_tui.plan.export import as_command, as_python, as_yaml
    from lightning_tui.record.masking import mask_secrets

    words = mask_secrets(case.program.given if case.program is not None else ())
    flavour = _flavour(case)
    return (
        Export("Command", as_command(words, case.plan), "train.sh"),
        Export("Python", as_python(case.plan, flavour), "trainer.py"),
        Export("YAML", as_yaml(case.plan, flavour), "trainer.yaml"),
    )


def _flavour(case: PlanCase) -> str:
    """The package that the program's interpreter has; of both, the newer name."""
    software = case.environment.software if case.environment is not None else None
    has_only_old = software is not None and software.lightning is None and software.pytorch_lightning is not None
    return "pytorch_lightning" if has_only_old else "lightning.pytorch"


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text if text.endswith("\n") else f"{text}\n")
    except FileExistsError as error:
        raise RefusalError(f"There is a file {path} already, and it is left as it is. Choose another name.") from error
    except OSError as error:
        raise RefusalError(f"{path} cannot be written: {error.strerror or error}.") from error
