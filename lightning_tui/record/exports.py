"""Every value that a run has logged, as CSV or JSON: read from the event files, not from the bounded series."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, TextIO

from lightning_tui.record.directory import RunDirectory
from lightning_tui.record.events import AnyEvent, Metrics, Number
from lightning_tui.record.reader import RunReader
from lightning_tui.text.safe import harmless

TableForm = Literal["csv", "json"]

COLUMNS = ("metric", "step", "epoch", "time", "value", "fit")


class LoggedValue(NamedTuple):
    """One logged value: where in training, when (UTC epoch seconds, to about a second), and what."""

    metric: str
    step: int
    epoch: int
    time: float
    value: Number
    """NaN and infinities are the words that the event files use."""
    fit: int
    """Number of the program's fit that it belongs to."""


def logged_values(directory: RunDirectory) -> Iterator[LoggedValue]:
    """All values of global rank 0, in the order in which they were written, attempt after attempt.

    Raises:
        RecordError: `run.json` is missing, broken or too new.
    """
    batch: list[tuple[int, Metrics]] = []

    def collect(source: Mapping[str, int], event: AnyEvent) -> None:
        if isinstance(event, Metrics) and source.get("rank") == 0:
            batch.append((reader.history.fits.number, event))

    reader = RunReader(directory, on_event=collect)
    while reader.poll():
        for fit, event in batch:
            for name, points in event.series.items():
                for step, value in zip(points.steps, points.values, strict=False):
                    yield LoggedValue(name, step, event.epoch, event.time, value, fit)
        batch.clear()


def write_metrics(directory: RunDirectory, form: TableForm, file: TextIO) -> None:
    """Write all logged values: CSV with a line a value, or one JSON object with columns by metric.

    In CSV a name keeps to its line and steers no terminal; in JSON it is as it was logged.

    Raises:
        RecordError: `run.json` is missing, broken or too new.
        OSError: the file cannot be written.
    """
    if form == "csv":
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(COLUMNS)
        lines.writerows(value._replace(metric=harmless(value.metric)) for value in logged_values(directory))
        return
    columns: dict[str, dict[str, list[Any]]] = {}
    for value in logged_values(directory):
        column = columns.setdefault(value.metric, {"step": [], "epoch": [], "time": [], "value": [], "fit": []})
        column["step"].append(value.step)
        column["epoch"].append(value.epoch)
        column["time"].append(value.time)
        column["value"].append(value.value)
        column["fit"].append(value.fit)
    json.dump({"run": directory.id, "metrics": columns}, file, allow_nan=False)
    file.write("\n")
