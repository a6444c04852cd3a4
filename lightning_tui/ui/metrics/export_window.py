"""The window that asks in which form the metrics are to be written."""

from __future__ import annotations

from pathlib import Path

from lightning_tui.ui.metrics.exports import FOLDER, Form, can_write_png
from lightning_tui.ui.windows.window import Item, ListWindow


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
