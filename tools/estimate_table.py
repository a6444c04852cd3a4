"""Hold the memory estimate against the peak of real steps, and write the table of docs/estimate.md.

    python tools/estimate_table.py            # all points: some minutes on two CPU cores
    python tools/estimate_table.py mlp        # the rows of one model

Each model of tests/programs/estimated trains two real steps on the CPU, with PyTorch's own kernels and with oneDNN's,
and is probed. One row is one model, optimizer, precision and batch size.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lightning_tui.launch.probing import probe_program
from lightning_tui.launch.program import resolve_program
from lightning_tui.plan.estimate import MARGIN, OVERHEAD, estimate
from lightning_tui.plan.probe import ProgramProbe
from lightning_tui.plan.setting import Setting

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "tests" / "programs" / "estimated"
PAGE = ROOT / "docs" / "estimate.md"

BATCHES = {"gpt": 4, "conv": 8, "lstm": 4, "mlp": 256}
"""The smaller batch of each model; the other is twice as large."""

OPTIMIZERS = ("adamw", "sgd")
PRECISIONS = ("32-true", "bf16-mixed")
_MIB = 1 << 20
_TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end of table -->)", re.DOTALL)


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One estimate and what really happened, bytes. `formula` is the range without the margin of a GPU."""

    model: str
    optimizer: str
    precision: str
    batch_size: int
    estimate: int
    real: int
    work_space: int
    """The part of `real` that kernels of convolutions took and gave back inside of themselves."""
    with_onednn: int | None
    formula: tuple[int, int]

    @property
    def error(self) -> float:
        return self.estimate / self.real - 1

    @property
    def error_without_work_space(self) -> float:
        return self.estimate / (self.real - self.work_space) - 1

    @property
    def formula_holds(self) -> bool:
        return self.formula[0] <= self.real <= self.formula[1]


def points(
    model: str,
    optimizer: str,
    *,
    precisions: tuple[str, ...] = PRECISIONS,
    factors: tuple[int, ...] = (1, 2),
    onednn: bool = True,
) -> Iterator[Point]:
    """Probe one model and take its real steps, at its smaller batch size times each of the factors 1 and 2."""
    size = BATCHES[model]
    words = [str(PROGRAMS / f"{model}.py"), "--optimizer", optimizer, "--batch-size"]
    probe = _probe([*words, str(size)])
    for precision in precisions:
        for batch_size in (factor * size for factor in factors):
            real = _must(real_peak([*words, str(batch_size), "--precision", precision, "--no-onednn"]))
            default = real_peak([*words, str(batch_size), "--precision", precision]) if onednn else None
            yield Point(
                model=model,
                optimizer=optimizer,
                precision=precision,
                batch_size=batch_size,
                estimate=_measured(probe, precision, batch_size),
                real=real.peak,
                work_space=real.work_space,
                with_onednn=None if default is None else default.peak,
                formula=formula_range(probe, precision, batch_size),
            )


def formula_range(probe: ProgramProbe, precision: str, batch_size: int) -> tuple[int, int]:
    """The range of the formula method, as if nothing had been measured on fake tensors."""
    unmeasured = msgspec.structs.replace(probe, measurements=())
    setting = Setting(strategy="single_device", precision=precision, devices=1, batch_size=batch_size)
    found = estimate(unmeasured, setting, None)
    if found.low is None or found.high is None:
        raise SystemExit(f"no formula for {precision}: {probe.forward_error}")
    return found.low, int((found.high - OVERHEAD) / MARGIN)


class Real(msgspec.Struct, frozen=True):
    """What a real step needed, bytes."""

    peak: int
    work_space: int


def real_peak(words: list[str]) -> Real | None:
    """Train two steps in a child and return the peak of the second; `None` where it cannot be trained."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "peak.json"
        subprocess.run(
            [sys.executable, *words, "--peak", str(path)],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            check=False,
        )
        return msgspec.json.decode(path.read_bytes(), type=Real) if path.exists() else None


def _must(real: Real | None) -> Real:
    if real is None:
        raise SystemExit("a real step without oneDNN failed")
    return real


def _probe(words: list[str]) -> ProgramProbe:
    program = resolve_program(
        words, interpreter=Path(sys.executable), interpreter_is_given=True, folder=Path.cwd(), environ=os.environ
    )
    probe = probe_program(program, always_forward=True, environ={**os.environ, "OMP_NUM_THREADS": "1"})
    if probe.error or probe.measuring_error or probe.forward_error:
        raise SystemExit(f"{words}: {probe.error or probe.measuring_error or probe.forward_error}")
    return probe


def _measured(probe: ProgramProbe, precision: str, batch_size: int) -> int:
    return next(
        m.peak
        for m in probe.measurements
        if (m.precision, m.batch_size, m.activation_checkpointing) == (precision, batch_size, False)
    )


def _row(point: Point) -> str:
    formula = " to ".join(f"{size / _MIB:.1f}" for size in point.formula)
    onednn = "cannot train" if point.with_onednn is None else f"{point.with_onednn / _MIB:.1f}"
    return (
        f"| {point.model} | {point.optimizer} | {point.precision} | {point.batch_size} | {point.estimate / _MIB:.1f} "
        f"| {point.real / _MIB:.1f} | {point.error:+.1%} | {point.work_space / _MIB:.1f} "
        f"| {point.error_without_work_space:+.1%} | {formula}{'' if point.formula_holds else ' (missed)'} | {onednn} |"
    )


def _table(rows: list[str]) -> str:
    """The rows with a head, in the order of the models, and how many hold what is promised."""
    order = list(BATCHES)
    rows = sorted(rows, key=lambda row: order.index(_cells(row)[0]))
    within, without = (sum(abs(float(_cells(row)[i].rstrip("%"))) <= 5 for row in rows) for i in (6, 8))
    held = sum("missed" not in row for row in rows)
    head = (
        "| model | optimizer | precision | batch | estimate | real | error | work space | error without it | formula "
        "| real with oneDNN |\n|---|---|---|---|---|---|---|---|---|---|---|\n"
    )
    summary = (
        f"Of {len(rows)} estimates {within} are within 5 %, without work space {without}; "
        f"{held} formula ranges hold the real peak."
    )
    return head + "\n".join(rows) + f"\n\n{summary}\n"


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def _rows_of_others(page: str, models: list[str]) -> list[str]:
    found = _TABLE.search(page)
    rows = found.group().splitlines() if found else []
    return [row for row in rows if row.startswith("|") and _cells(row)[0] in set(BATCHES) - set(models)]


def main() -> None:
    models = sys.argv[1:] or list(BATCHES)
    rows = []
    for model in models:
        for optimizer in OPTIMIZERS:
            for point in points(model, optimizer):
                rows.append(_row(point))
                sys.stdout.write(rows[-1] + "\n")
                sys.stdout.flush()
    page = PAGE.read_text()
    PAGE.write_text(_TABLE.sub(lambda _: _table(_rows_of_others(page, models) + rows), page))


if __name__ == "__main__":
    main()
