"""Write a run's metrics into its `exports/` folder: all values as CSV or JSON, the chart as SVG, or PNG where a
converter is installed."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from lightning_tui.files import write_whole
from lightning_tui.refusal import RefusalError
from lightning_tui.ui.drawing.frame import ChartStyle
from lightning_tui.ui.metrics.curves import CurveSettings, OtherRun, drawn_curves, marks_of, usable_unit
from lightning_tui.ui.windows.window import Item, ListWindow

if TYPE_CHECKING:
    from lightning_tui.record import RunSnapshot
    from lightning_tui.ui.metrics.grouping import Quantity

Form = Literal["csv", "json", "svg", "png"]

PNG_SCALE = 2
FOLDER = "exports"


def can_write_png() -> bool:
    """Whether the converter `resvg_py` is installed beside us."""
    return importlib.util.find_spec("resvg_py") is not None


def export_window(directory: Path) -> ListWindow[Form]:
    """Choose a form."""
    has_png = can_write_png()
    where = f"Written into {directory / FOLDER}"
    forms: tuple[tuple[Form, str, bool], ...] = (
        ("csv", "every value of every metric, one per line", True),
        ("json", "the same, as columns by metric", True),
        ("svg", "this chart as a vector picture", True),
        ("png", "this chart as pixels" if has_png else "needs: pip install resvg_py", has_png),
    )
    items = [
        Item(form, ((f"{form.upper():<6}", "text"), (what, "dim")), is_enabled=is_possible, note=where)
        for form, what, is_possible in forms
    ]
    return ListWindow("Write the metrics", items)


def export(
    run: RunSnapshot, quantity: Quantity | None, settings: CurveSettings, others: Sequence[OtherRun], form: Form
) -> Path:
    """Write a file, over an older one of its name, and return its path. To be called in a thread.

    Raises:
        RefusalError: there is nothing to draw, no converter, or the folder cannot be written.
    """
    folder = Path(run.directory) / FOLDER
    if form in ("csv", "json"):
        return _written(folder / f"metrics.{form}", lambda file: _write_table(run, form, file))
    if quantity is None:
        raise RefusalError("No metric is selected.")
    picture = _picture(run, quantity, settings, others)
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", quantity.name).strip(".-")[:80] or "chart"
    data = picture.encode() if form == "svg" else _png(picture)
    return _written(folder / f"{name}.{form}", data)


def _picture(run: RunSnapshot, quantity: Quantity, settings: CurveSettings, others: Sequence[OtherRun]) -> str:
    from msgspec.structs import replace

    from lightning_tui.ui.metrics.svg import svg_chart

    settings = replace(settings, unit=usable_unit(run, settings.unit))
    options = ChartStyle(settings.is_log, settings.window, None, marks_of(run, quantity, settings), settings.unit)
    title = f"{quantity.name} · {run.record.program.label} · {run.record.id}"
    smoothing = f" · EMA {settings.smoothing:g}" if settings.smoothing else ""
    picture = svg_chart(title + smoothing, drawn_curves(run, quantity, settings, others), options)
    if picture is None:
        raise RefusalError("There is no finite value to draw.")
    return picture


def _png(picture: str) -> bytes:
    if not can_write_png():
        raise RefusalError("PNG needs the package resvg_py: pip install resvg_py. SVG needs nothing.")
    import resvg_py

    return bytes(resvg_py.svg_to_bytes(svg_string=picture, zoom=PNG_SCALE))


def _write_table(run: RunSnapshot, form: Form, file: IO[bytes]) -> None:
    import io

    from lightning_tui.record import RecordError, RunDirectory
    from lightning_tui.record.exports import write_metrics

    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    try:
        write_metrics(RunDirectory(Path(run.directory)), "csv" if form == "csv" else "json", text)
        text.flush()
    except RecordError as error:
        raise RefusalError(str(error)) from error
    finally:
        text.detach()


def _written(path: Path, data: bytes | Callable[[IO[bytes]], object]) -> Path:
    """Write it whole or not at all; folder 0700, file 0600, as all of a run directory."""
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_whole(path, data)
    except OSError as error:
        raise RefusalError(
            f"{path} cannot be written: {error.strerror or error}. "
            f"Elsewhere: lightning-tui show {path.parent.parent.name} --metrics csv > metrics.csv"
        ) from error
    return path
