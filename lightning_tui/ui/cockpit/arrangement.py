"""Where each part of the cockpit stands on a screen of a given size: a pure function, so that nothing ever jumps."""

from __future__ import annotations

from typing import Literal, NamedTuple

from lightning_tui.ui.drawing.canvas import Area

Kind = Literal["wide", "normal", "compact", "small", "tiny"]


class Arrangement(NamedTuple):
    """The kind of layout, and the place of each part that is visible."""

    kind: Kind
    places: dict[str, Area]


SUMMARY_HEIGHT = 1
"""A pane of this height has no border and tells itself in one line."""


def arrange(width: int, height: int, gpu_rows: int, zoomed: str | None = None) -> Arrangement:
    """Lay out `state`, `footer` and the panes.

    Args:
        width: Columns of the terminal.
        height: Rows of the terminal.
        gpu_rows: Rows that the GPUs pane wants within its border.
        zoomed: The pane that has the screen to itself.
    """
    if width < 28 or height < 5:
        return Arrangement("tiny", {"state": Area(0, 0, width, height)})
    bars = {"state": Area(0, 0, width, 1), "footer": Area(0, height - 1, width, 1)}
    body = Area(0, 1, width, height - 2)
    kind = kind_of(width, height)
    if zoomed is not None:
        return Arrangement(kind, {**bars, zoomed: body})
    return Arrangement(kind, {**bars, **_LAYOUTS[kind](body, gpu_rows)})


def kind_of(width: int, height: int) -> Kind:
    """Which layout a size gets."""
    if width >= 160 and height >= 40:
        return "wide"
    if width >= 100 and height >= 30:
        return "normal"
    if width >= 76 and height >= 20:
        return "compact"
    return "small"


def _wide(body: Area, gpu_rows: int) -> dict[str, Area]:
    left = 44
    log = max(80, (body.width - left) * 54 // 100)
    middle = body.width - left - log
    gpus = min(gpu_rows, 16) + 2
    return {
        **_left_column(Area(body.x, body.y, left, body.height)),
        "metrics": Area(left, body.y, middle, body.height - gpus),
        "gpus": Area(left, body.y + body.height - gpus, middle, gpus),
        "log": Area(left + middle, body.y, log, body.height),
    }


def _normal(body: Area, gpu_rows: int) -> dict[str, Area]:
    left = min(46, max(42, body.width // 3))
    gpus = min(gpu_rows, 8) + 2
    metrics = max(9, (body.height - gpus) * 46 // 100)
    right = body.width - left
    return {
        **_left_column(Area(body.x, body.y, left, body.height)),
        "metrics": Area(left, body.y, right, metrics),
        "gpus": Area(left, body.y + metrics, right, gpus),
        "log": Area(left, body.y + metrics + gpus, right, body.height - metrics - gpus),
    }


def _left_column(column: Area) -> dict[str, Area]:
    environment = 11 if column.height < 44 else 13
    return {
        "environment": column._replace(height=environment),
        "plan": Area(column.x, column.y + environment, column.width, column.height - environment),
    }


def _compact(body: Area, gpu_rows: int) -> dict[str, Area]:
    gpus = min(gpu_rows, 4 if body.height < 30 else 8) + 2
    metrics = SUMMARY_HEIGHT if body.height < 32 else 10
    return _stacked(body, {"environment": SUMMARY_HEIGHT, "plan": SUMMARY_HEIGHT, "metrics": metrics, "gpus": gpus})


def _small(body: Area, gpu_rows: int) -> dict[str, Area]:
    return _stacked(body, {"metrics": SUMMARY_HEIGHT} if body.height >= 8 else {})


def _stacked(body: Area, heights: dict[str, int]) -> dict[str, Area]:
    places = {}
    y = body.y
    for name, height in heights.items():
        places[name] = Area(body.x, y, body.width, height)
        y += height
    return {**places, "log": Area(body.x, y, body.width, body.y + body.height - y)}


_LAYOUTS = {"wide": _wide, "normal": _normal, "compact": _compact, "small": _small}
