"""The command that estimates: memory per GPU for each strategy and precision, before anything is trained."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from typing import Any

import msgspec

from lightning_tui.cli import DONE
from lightning_tui.cli.arguments import choice_of, plan_of, settings_of
from lightning_tui.cli.terminal import say, size, written
from lightning_tui.cli.tuning import terminated_as_interrupted
from lightning_tui.plan.estimate import Estimate
from lightning_tui.plan.facts import machine_facts
from lightning_tui.plan.outlook import Outlook
from lightning_tui.plan.probe import ProgramProbe
from lightning_tui.services.estimating import measure, measured_before, memory_table
from lightning_tui.services.machine import inspect_machine
from lightning_tui.services.programs import find_safe_program
from lightning_tui.text.safe import harmless
from lightning_tui.text.units import GIB, count, plural, short_count

_NO_BOUND = 1 << 20
"""The largest batch that is looked for."""
_WORDS = {"fits": "fits", "tight": "tight", "too large": "too large", "unknown": ""}


def estimate(arguments: argparse.Namespace) -> int:
    """`lightning-tui estimate [PLAN] -- PROGRAM`."""
    asked, settings = plan_of(arguments), settings_of(arguments)
    program = find_safe_program(choice_of(arguments), os.environ)
    if arguments.fresh or measured_before(settings, program) is None:
        say(f"runs {program.label} up to its first training step, on the CPU, and trains nothing; the result is kept")
    with terminated_as_interrupted():
        measured = measure(settings, os.environ, program, timeout_s=arguments.time_limit, fresh=arguments.fresh)
    facts = machine_facts(inspect_machine(settings, os.environ, program.interpreter))
    found, rows = memory_table(measured, asked, facts, arguments.gpu_memory)
    if measured.calibration is not None:
        peak = size(measured.calibration.peak)
        say(f"the run {measured.calibrated_by} took {peak} of a GPU: the estimate is calibrated with it")
    print(json.dumps(_as_json(found, rows)) if arguments.json else "\n".join(_estimate_lines(found, rows)))
    return DONE


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


def _estimate_lines(found: Outlook, rows: Sequence[Estimate]) -> list[str]:
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
        trained = f", {short_count(probe.trainable)} of them trainable"
    optimizer = f", {probe.optimizer}" if probe.optimizer else ""
    return f"{short_count(probe.parameters or 0)} parameters{trained}{optimizer}"


def _method(rows: Sequence[Estimate]) -> str:
    if any(row.method == "fake tensors" for row in rows):
        return "a training step on fake tensors"
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
            "No GPU memory is known for this machine. Estimate for another one with --gpu-memory 24GiB --devices 8."
        )
    elif found.largest_batch == 0:
        lines.append("Not even a batch of one sample certainly fits.")
    elif found.largest_batch is not None and found.largest_batch >= _NO_BOUND:
        lines.append("Memory does not limit the batch size.")
    elif found.largest_batch is not None:
        lines.append(f"The largest batch that certainly fits: {plural(found.largest_batch, 'sample')} on each GPU.")
    if found.knobs:
        knob = found.knobs[0]
        changes = " ".join(f"--set {name}={written(value)}" for name, value in knob.changes.items())
        lines.append(f"The largest saving: {knob.text}, up to {size(knob.saves)} ({changes}).")
    return lines


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
