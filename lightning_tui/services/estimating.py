"""How much memory does a program need of each GPU? Measured once up to its first step, calibrated by its last run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import msgspec

from lightning_tui.launch import Program
from lightning_tui.launch.earlier_run import earlier_run
from lightning_tui.launch.probing import probe_program, remembered_probe
from lightning_tui.plan.estimate import Calibration, Estimate, estimate_table
from lightning_tui.plan.facts import MachineFacts
from lightning_tui.plan.model import Plan
from lightning_tui.plan.outlook import Outlook, outlook
from lightning_tui.plan.probe import ProgramProbe
from lightning_tui.record import RecordError, RunStore
from lightning_tui.refusal import RefusalError
from lightning_tui.services.programs import ProgramChoice, find_program, find_safe_program
from lightning_tui.settings import Settings

MEASURE_PATIENCE_S = 300.0
"""How long a program may take to come to its fit when its memory is measured."""
_LOOK_AGAIN_S = 10.0
"""How long it is believed that the files of a program have not changed."""
_PRECISIONS = ("32-true", "16-mixed", "bf16-mixed", "bf16-true")
_ON_ONE = ("single_device", "fsdp_cpu_offload", "deepspeed_stage_3_offload")
_ON_SEVERAL = ("ddp", "fsdp", "deepspeed_stage_1", "deepspeed_stage_2", "deepspeed_stage_3")


class NotMeasuredError(RefusalError):
    """What a program would train could not be found out."""


class Measured(msgspec.Struct, frozen=True):
    """What is known of a program's memory."""

    probe: ProgramProbe
    """May hold an error instead of an answer."""
    calibration: Calibration | None = None
    calibrated_by: str | None = None
    """The run that it is taken from."""

    def outlook(self, plan: Plan, facts: MachineFacts) -> Outlook | None:
        """What the plan needs on this machine; `None` where the program's size is not known."""
        return outlook(self.probe, plan, facts, self.calibration) if self.probe.parameters is not None else None


def measured_before(settings: Settings, program: Program) -> Measured | None:
    """What was found before; nothing is run. `None` where nothing was, or the program has changed since."""
    probe = remembered_probe(program)
    return None if probe is None else _calibrated(settings, program, probe)


def measure(
    settings: Settings,
    environ: Mapping[str, str],
    program: Program,
    *,
    timeout_s: float = MEASURE_PATIENCE_S,
    is_cancelled: Callable[[], bool] = lambda: False,
    fresh: bool = True,
) -> Measured:
    """Run a program, which was found safe, up to its first training step, on the CPU; takes seconds.

    Raises:
        NotMeasuredError: it does not come so far, or was given up; the message says why.
    """
    probe = probe_program(program, timeout_s=timeout_s, cancelled=is_cancelled, environ=environ, fresh=fresh)
    if is_cancelled() or probe.error is not None or probe.parameters is None:
        otherwise = "It was cancelled." if is_cancelled() else "nothing was learned about the program's model"
        raise NotMeasuredError(probe.error or otherwise)
    return _calibrated(settings, program, probe)


def _calibrated(settings: Settings, program: Program, probe: ProgramProbe) -> Measured:
    try:
        earlier = earlier_run(RunStore(settings.runs_home), program)
    except RecordError:  # the list of runs, or a start, will say what is wrong with this place
        earlier = None
    return Measured(probe) if earlier is None else Measured(probe, earlier[1], earlier[0])


class Measurements:
    """What is known of the programs of one sitting: from earlier probes, which are kept on disk, and by new ones."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings, self._environ = settings, environ
        self._known: dict[ProgramChoice, tuple[float, Measured | None]] = {}

    def known(self, choice: ProgramChoice | None) -> Measured | None:
        """What was found before; nothing is run. Whether the program has changed since is looked at now and then."""
        if choice is None:
            return None
        looked_at, measured = self._known.get(choice, (-_LOOK_AGAIN_S, None))
        if time.monotonic() - looked_at > _LOOK_AGAIN_S:
            measured = self._found_before(choice)
            self._known[choice] = (time.monotonic(), measured)
        return measured

    def measure(self, choice: ProgramChoice | None, is_cancelled: Callable[[], bool]) -> Measured:
        """Run the program up to its fit.

        Raises:
            NotMeasuredError: none is chosen, it does not come so far, or was given up.
            ProgramError, CompromisedReleaseError: it cannot, or must not, be run.
        """
        if choice is None:
            raise NotMeasuredError("No program is chosen yet.")
        program = find_safe_program(choice, self._environ)
        measured = measure(self._settings, self._environ, program, is_cancelled=is_cancelled)
        self._known[choice] = (time.monotonic(), measured)
        return measured

    def _found_before(self, choice: ProgramChoice) -> Measured | None:
        try:
            return measured_before(self._settings, find_program(choice, self._environ))
        except RefusalError:  # a start will say so
            return None


def memory_table(
    measured: Measured, plan: Plan, facts: MachineFacts, gpu_memory: int | None = None
) -> tuple[Outlook, list[Estimate]]:
    """The plan's memory, and that of every strategy of interest with this many GPUs and every precision, those of the
    plan first; `gpu_memory`, in bytes, is that of the GPUs of another machine."""
    found = outlook(measured.probe, plan, _with_gpus_of(facts, plan, gpu_memory), measured.calibration)
    present = found.present
    strategies = _ON_ONE if present.devices == 1 else _ON_SEVERAL
    own_strategy = () if present.strategy in (*strategies, "auto") else (present.strategy,)
    own_precision = () if present.precision in _PRECISIONS or plan.precision is None else (present.precision,)
    names, precisions = [*own_strategy, *strategies], [*own_precision, *_PRECISIONS]
    return found, estimate_table(found.probe, found.setting, names, precisions, found.capacity, measured.calibration)


def _with_gpus_of(facts: MachineFacts, plan: Plan, gpu_memory: int | None) -> MachineFacts:
    if gpu_memory is None:
        return facts
    asked = len(plan.devices) if isinstance(plan.devices, list) else plan.devices
    gpus = asked if isinstance(asked, int) and asked > 0 else facts.gpus or 1
    return msgspec.structs.replace(facts, gpus=gpus, gpu_memory=gpu_memory)
