"""The GPUs pane: memory by holder, load, heat and power of each GPU; CPU and memory of the hosts without any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from lightning_tui.text.units import gib
from lightning_tui.ui.drawing.gauges import FREE, OTHERS, OURS, legend
from lightning_tui.ui.drawing.rows import EMPTY, Row, Span, dots, fill, join, selected, width_of
from lightning_tui.ui.gpus.gpuset import GpuSet, GpuView, counts, extremes, gpu_set, slowest, summary
from lightning_tui.ui.gpus.grid import GAP, Group, layout
from lightning_tui.ui.gpus.host_rows import host_rows, nodes_rows
from lightning_tui.ui.gpus.rows import Columns, columns_of, gpu_row, grid_cell, header_row, legend_of
from lightning_tui.ui.pane import Pane
from lightning_tui.ui.view import View

if TYPE_CHECKING:
    from lightning_tui.record import GpuHistory, GpuKey

DETAILS_LEAST = 12
"""Rows that must be free beneath the list to tell all of the GPU under the cursor there."""


class GpusPane(Pane):
    """A row or a cell for each GPU, with a cursor; or the hosts."""

    name_of_pane = "gpus"

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self.gpus = gpu_set(view)
        self._cursor: GpuKey | None = None
        self._layout = layout(self.gpus, 1, 1)
        self._laid_out_for: tuple[object, ...] = ()
        self._drawn: dict[GpuKey, _Drawn] = {}
        self._marked: int | None = None

    @property
    def current(self) -> GpuView | None:
        """The GPU under the cursor; none where there are none."""
        return self.gpus.gpus[self._place] if self.gpus.gpus else None

    @property
    def _place(self) -> int:
        """Where the cursor is: at the first that is drawn until it was moved."""
        if self._cursor is not None or not self._layout.lines:
            return self.gpus.place_of(self._cursor)
        return min(self._layout.lines[0][0].members[0], len(self.gpus.gpus) - 1)

    def show(self, view: View) -> None:
        """Draw another moment; nothing is drawn where nothing differs that the pane shows."""
        before = _shown_of(self.view, self.gpus)
        self.gpus = gpu_set(view, self.gpus)
        self.view = view
        if before != _shown_of(view, self.gpus):
            self.redraw()

    def go_to(self, key: GpuKey) -> None:
        self._cursor = key
        self.redraw()

    def scroll_by(self, lines: int) -> None:
        if self.gpus.gpus:
            self._move(0, lines)
        else:
            super().scroll_by(lines)

    def move_across(self, cells: int) -> None:
        if self.gpus.gpus:
            self._move(cells, 0)

    def page(self) -> int:
        return max(1, min(super().page(), len(self._layout.lines)))

    def _move(self, across: int, down: int) -> None:
        place = self._layout.beside(self._place, across, down)
        self.go_to(self.gpus.gpus[place].key)

    def title_text(self) -> str:
        return "Host" if self.view.host is not None and not self.gpus.gpus else super().title_text()

    def body(self, width: int, height: int) -> Sequence[Row]:
        view = self.view
        if self.gpus.gpus:
            return self._gpu_lines(width, height)
        if len(view.nodes) > 1:
            return nodes_rows(view.nodes, view.is_active, width)
        if view.host is None:
            return [(("reading the hardware …", "dim"),)]
        return host_rows(view.host, view.gpus_missing, view.is_active, width)

    def summary(self, width: int) -> Row:
        if len(self.gpus.gpus) == 1:
            return gpu_row(self.gpus.gpus[0], self._columns(), width)
        return summary(self.gpus, width) if self.gpus.gpus else self.body(width, 1)[0]

    def heading(self) -> Row:
        """What the eye should find: trouble; in a grid also the fullest and the hottest."""
        room = self.size.width - 20
        if not self.gpus.gpus:
            return EMPTY
        if self._is_grid:
            return summary(self.gpus, room)
        return join([*counts(self.gpus), *slowest(self.gpus)], room, (" · ", "dim"))

    def facts(self, width: int) -> Row:
        current = self.current
        if current is not None and self._is_grid:
            return readout(current, width) if self.has_focus else join(extremes(self.gpus), width, (" · ", "dim"))
        if current is not None:
            opens: list[Row] = [((self.view.key("open"), "accent"), (" details", "dim"))] if self.has_focus else []
            return join([*opens, *legend_of(self.gpus.gpus)], width)
        if self.view.host is None:
            return EMPTY
        return join(legend((("this run", OURS), ("others", OTHERS), ("free", FREE))), width)

    @property
    def _is_training(self) -> bool:
        return self.view.state == "training"

    def _columns(self) -> Columns:
        run = self.view.run
        has_history = run is not None and self.view.is_active and bool(run.gpu_history)
        return columns_of(self.gpus, self._is_training, has_history=has_history)

    @property
    def _is_grid(self) -> bool:
        return bool(self.gpus.gpus) and self._layout.kind == "grid"

    def _gpu_lines(self, width: int, height: int) -> list[Row]:
        key = (self.gpus.made_of[0], [view.worst and view.worst.severity for view in self.gpus.gpus], width, height)
        if self._laid_out_for != key:
            self._layout, self._laid_out_for = layout(self.gpus, width, height), key
        here = self._place
        where, _ = self._layout.where(here)
        self._offset = max(min(self._offset, where), where - height + 1)
        columns = self._columns()
        self._marked = here if self.has_focus and len(self.gpus.gpus) > 1 else None
        lines = [self._line(line, columns) for line in self._layout.lines]
        if self._layout.kind == "grid" or len(self._layout.lines[0]) > 1:
            return lines
        if height > len(lines) and width >= 100:
            lines.insert(0, header_row(columns, self._layout.column))
        return [*lines, *self._details(width, height - len(lines))]

    def _details(self, width: int, height: int) -> list[Row]:
        """All of the GPU under the cursor, where there is room beneath the list."""
        current = self.current
        if current is None or height < DETAILS_LEAST:
            return []
        from lightning_tui.ui.gpus.details import detail_rows  # only a zoomed pane is so high

        title: Row = ((f"GPU {current.label}", "text+b"), (f"  {current.gpu.name or ''} ", "dim"))
        rule: Row = (*title, ("─" * (width - width_of(title)), "border"))
        return [EMPTY, rule, *detail_rows(self.view, current, width, height - 2)][:height]

    def _line(self, groups: Sequence[Group], columns: Columns) -> Row:
        spans: list[Span] = []
        for number, group in enumerate(groups):
            if number:
                spans.append((" " * GAP, "text"))
            spans.extend(self._group(group, columns))
        return tuple(spans)

    def _group(self, group: Group, columns: Columns) -> Row:
        plan = self._layout
        if plan.kind == "list":
            return self._cell(group.members[0], columns, plan.column)
        row: Row = ((f"{group.label:<{plan.label}} ", "dim"),)
        for place in group.members:
            row += self._cell(place, columns, plan.cell)
        return fill(row, plan.column)

    def _cell(self, place: int, columns: Columns, width: int) -> Row:
        """A GPU's row or cell, drawn anew only where it differs."""
        view = self.gpus.gpus[place]
        run = self.view.run
        history = run.gpu_history.get(view.key) if run is not None and self.view.is_active and width >= 100 else None
        known = self._drawn.get(view.key)
        if known is None or known[:4] != (view, columns, width, history):
            is_row = self._layout.kind == "list"
            row = gpu_row(view, columns, width, history) if is_row else grid_cell(view, width, columns.is_training)
            known = self._drawn[view.key] = _Drawn(view, columns, width, history, row)
        if place != self._marked:
            return known.row
        return selected(known.row if width > 1 else ((known.row[0][0], "text"),))


class _Drawn(NamedTuple):
    view: GpuView
    columns: Columns
    width: int
    history: GpuHistory | None
    row: Row


def _shown_of(view: View, gpus: GpuSet) -> tuple[object, ...]:
    """What the pane draws of a view: when two of these are equal, so are the pictures."""
    hosts = () if gpus.gpus else view.nodes
    return gpus, hosts, view.is_active, view.state == "training", view.keys


def wanted_rows(view: View, expected_gpus: int = 0) -> int:
    """Rows that the pane wants; at least as many as the host needs, so that a first reading moves nothing.

    Args:
        view: The moment.
        expected_gpus: How many GPUs there seem to be, as long as none has been read.
    """
    nodes = view.nodes
    hosts = len(nodes) + 2 if len(nodes) > 1 else 0
    return max(4, sum(len(node.gpus) for node in nodes) or expected_gpus, hosts)


def readout(view: GpuView, width: int) -> Row:
    """One GPU in words, for the grid's cursor; what does not fit is left out."""
    gpu, memory = view.gpu, view.memory
    name = f"GPU {view.label}"
    if gpu.error is not None:
        return join([((name, "text"),), ((gpu.error, "bad"),)], width, (" · ", "dim"))
    ranks: Row = (
        ((f"rank {view.ranks[0]}" if len(view.ranks) == 1 else f"ranks {view.ranks[0]}–{view.ranks[-1]}", "text"),)
        if view.ranks
        else EMPTY
    )
    amount = f"{gib(memory.used)}/{gib(memory.total)} GiB" if memory.used is not None and memory.total else ""
    parts = [
        ((name, "text+b"),),
        *[((f"{trouble.mark} {trouble.text}", trouble.token),) for trouble in view.troubles],
        dots(amount),
        dots(f"{gpu.utilization:.0f} %" if gpu.utilization is not None else ""),
        dots(f"{gpu.temperature:.0f} °C" if gpu.temperature is not None else ""),
        ranks,
        dots(f"{gpu.power:.0f} W" if gpu.power is not None else ""),
    ]
    return join(parts, width, (" · ", "dim"))
