"""The command that estimates: memory per GPU for each strategy and precision, before anything is trained."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from lightning_tui.cli import COULD_NOT, DONE
from lightning_tui.cli.arguments import program_of, refuse_compromised
from lightning_tui.cli.plans import environment_of, plan_of
from lightning_tui.cli.terminal import say, size
from lightning_tui.cli.tuning import terminated_as_interrupted
from lightning_tui.cli.watching import store_of
from lightning_tui.launch.earlier_run import earlier_run
from lightning_tui.launch.probing import probe_program, remembered_probe
from lightning_tui.plan import MachineFacts, Plan, machine_facts
from lightning_tui.plan.estimate import Calibration, Estimate, estimate_table
from lightning_tui.plan.outlook import Outlook, outlook
from lightning_tui.plan.probe import ProgramProbe
from lightning_tui.text.safe import harmless
from lightning_tui.text.units import GIB, count, plural, short_count

_PRECISIONS = ("32-true", "16-mixed", "bf16-mixed", "bf16-true")
_ON_ONE = ("single_device", "fsdp_cpu_offload", "deepspeed_stage_3_offload")
_ON_SEVERAL = ("ddp", "fsdp", "deepspeed_stage_1", "deepspeed_stage_2", "deepspeed_stage_3")
_NO_BOUND = 1 << 20
"""The largest batch that is looked for."""
_WORDS = {"fits": "fits", "tight": "tight", "too large": "too large", "unknown": ""}


def estimate(arguments: argparse.Namespace) -> int:
    """`lightning-tui estimate [PLAN] -- PROGRAM`."""
    asked = plan_of(arguments)
    program = program_of(arguments)
    environment = environment_of(arguments, program.interpreter, Path.cwd())
    if environment.software is not None:
        refuse_compromised(environment.software)
    if arguments.fresh or remembered_probe(program) is None:
        say(f"runs {program.label} up to its first training step, on the CPU, and trains nothing; the answer is kept")
    with terminated_as_interrupted():
        probe = probe_program(program, timeout_s=arguments.time_limit, fresh=arguments.fresh, environ=os.environ)
    if probe.error is not None or probe.parameters is None:
        say(probe.error or "nothing was learned of the program's model")
        return COULD_NOT
    facts = machine_facts(environment)
    earlier = earlier_run(store_of(arguments), program)
    calibration = earlier[1] if earlier is not None else None
    found = outlook(probe, asked, _machine(facts, asked, arguments.gpu_memory), calibration)
    rows = _table(found, asked, calibration)
    if earlier is not None:
        say(f"the run {earlier[0]} took {size(earlier[1].peak)} of a GPU: the estimate is calibrated by that")
    print(json.dumps(_as_json(found, rows)) if arguments.json else "\n".join(_lines(found, rows)))
    return DONE


def _machine(facts: MachineFacts, plan: Plan, gpu_memory: int | None) -> MachineFacts:
    """This machine; or another one, with GPUs of this memory."""
    if gpu_memory is None:
        return facts
    asked = len(plan.devices) if isinstance(plan.devices, list) else plan.devices
    gpus = asked if isinstance(asked, int) and asked > 0 else facts.gpus or 1
    return msgspec.structs.replace(facts, gpus=gpus, gpu_memory=gpu_memory)


def _table(found: Outlook, plan: Plan, calibration: Calibration | None) -> list[Estimate]:
    """Every strategy that is of interest with this many GPUs, with every precision; those of the plan come first."""
    present = found.present
    strategies = _ON_ONE if present.devices == 1 else _ON_SEVERAL
    own_strategy = () if present.strategy in (*strategies, "auto") else (present.strategy,)
    own_precision = () if present.precision in _PRECISIONS or plan.precision is None else (present.precision,)
    names, precisions = [*own_strategy, *strategies], [*own_precision, *_PRECISIONS]
    return estimate_table(found.probe, found.setting, names, precisions, found.capacity, calibration)


# ---------------------------------------------------------------------------------------------------------------- JSON


def _as_json(found: Outlook, rows: Sequence[Estimate]) -> dict[str, Any]:
    knob = found.knobs[0] if found.knobs else None
    return {
        "parameters": found.probe.parameters,
        "method": found.present.method,
        "gpu_memory": found.capacity,
        "batch_size": found.batch_size,
        "largest_batch": found.largest_batch,
        "best_knob": None if knob is None else msgspec.to_builtins(knob),
        "present": _row(found.present),
        "rows": [_row(row) for row in rows],
    }


def _row(row: Estimate) -> dict[str, Any]:
    names = ("strategy", "precision", "devices", "low", "high", "fits", "omits")
    values: dict[str, Any] = msgspec.to_builtins(row)
    return {name: values[name] for name in names}


# --------------------------------------------------------------------------------------------------------------- lines


def _lines(found: Outlook, rows: Sequence[Estimate]) -> list[str]:
    present, probe = found.present, found.probe
    each = f"each of {present.devices} GPUs" if present.devices > 1 else "one GPU"
    batch = f", batches of {count(found.batch_size)}" if found.batch_size is not None else ""
    has = f" with {size(found.capacity)}" if found.capacity is not None else ""
    return [
        f"Model      {_model(probe)}",
        f"Memory     of {each}{has}{batch}; estimated with {_method(rows)}",
        "",
        *_grid(rows),
        "",
        *_advice(found),
        *_caveats(found, rows),
    ]


def _model(probe: ProgramProbe) -> str:
    trained = ""
    if probe.trainable is not None and probe.trainable != probe.parameters:
        trained = f", {short_count(probe.trainable)} of them trained"
    optimizer = f", {probe.optimizer}" if probe.optimizer else ""
    return f"{short_count(probe.parameters or 0)} parameters{trained}{optimizer}"


def _method(rows: Sequence[Estimate]) -> str:
    if any(row.method == "fake tensors" for row in rows):
        return "a training step on tensors without data"
    return "a formula"


def _grid(rows: Sequence[Estimate]) -> list[str]:
    """Strategies down, precisions across: a range in GiB and whether it fits."""
    strategies = list(dict.fromkeys(row.strategy for row in rows))
    precisions = list(dict.fromkeys(row.precision for row in rows))
    by_place = {(row.strategy, row.precision): _cell(row) for row in rows}
    table = [("GiB", *precisions)]
    table += [(name, *(by_place[name, precision] for precision in precisions)) for name in strategies]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def _cell(row: Estimate) -> str:
    if row.low is None:
        return "N/A"
    low, high = row.low / GIB, None if row.high is None else row.high / GIB
    amount = f"{low:.1f} or more" if high is None else f"{low:.1f}-{high:.1f}"
    return f"{amount} {_WORDS[row.fits]}".rstrip()


def _advice(found: Outlook) -> list[str]:
    present = found.present
    lines = [f"As planned: {present.strategy}, {present.precision}: {_cell(present) or 'N/A'}."]
    if found.capacity is None:
        lines.append(
            "This machine has no GPU whose memory is known: --gpu-memory 24GiB --devices 8 asks for another one."
        )
    elif found.largest_batch == 0:
        lines.append("Not even a batch of one sample surely fits like that.")
    elif found.largest_batch is not None and found.largest_batch >= _NO_BOUND:
        lines.append("The memory does not bound the batch.")
    elif found.largest_batch is not None:
        lines.append(f"The largest batch that surely fits: {plural(found.largest_batch, 'sample')} on each GPU.")
    if found.knobs:
        knob = found.knobs[0]
        changes = " ".join(f"--set {name}={_written(value)}" for name, value in knob.changes.items())
        lines.append(f"What saves most: {knob.text}, up to {size(knob.saves)} ({changes}).")
    return lines


def _written(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _caveats(found: Outlook, rows: Sequence[Estimate]) -> list[str]:
    everywhere = [text for text in rows[0].omits if all(text in row.omits for row in rows if row.low is not None)]
    lines = [f"Left out: {', '.join(everywhere)}."] if everywhere else []
    others = dict.fromkeys(text for row in rows for text in row.omits if text not in everywhere)
    lines += [f"{_who(rows, text)}: {text}." for text in others]
    if found.probe.measuring_error:
        lines.append(f"Not all could be measured: {harmless(found.probe.measuring_error.splitlines()[0])}")
    return lines


def _who(rows: Sequence[Estimate], text: str) -> str:
    """The rows that leave this out: whole strategies by their name."""
    names = list(dict.fromkeys(row.strategy for row in rows if text in row.omits))
    all_names = list(dict.fromkeys(row.strategy for row in rows))
    return "All" if names == all_names else ", ".join(names)
