"""Where does each GPU stand in a pane: a row each, rows in columns, or a line of cells for each node?"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from lightning_tui.ui.gpus.gpuset import GpuSet

GAP = 2
"""Cells between columns."""
LEAST_ROW = 34
"""A row narrower than this is no row any more: then cells take over."""
PER_LINE = 8
"""Cells of a node in one line, as most nodes have GPUs."""
WIDEST_CELL = 24


class Group(NamedTuple):
    """GPUs side by side under one label."""

    label: str
    members: tuple[int, ...]


class GpuLayout(msgspec.Struct, frozen=True):
    """Groups in lines. In a `list` each group is one GPU, told in a row; in a `grid` it is a node, told in cells."""

    kind: Literal["list", "grid"]
    lines: tuple[tuple[Group, ...], ...]
    column: int
    """Cells of a group."""
    cell: int = 0
    """Cells of a GPU in a grid."""
    label: int = 0
    """Cells of a group's label."""

    def where(self, place: int) -> tuple[int, int]:
        """Line and position within it of a GPU."""
        for y, line in enumerate(self.lines):
            members = [member for group in line for member in group.members]
            if place in members:
                return y, members.index(place)
        return 0, 0

    def beside(self, place: int, across: int, down: int) -> int:
        """The GPU so many steps to the right and lines below; the nearest where there is none."""
        y, x = self.where(place)
        y = max(0, min(len(self.lines) - 1, y + down))
        members = [member for group in self.lines[y] for member in group.members]
        return members[max(0, min(len(members) - 1, x + across))]


def layout(gpus: GpuSet, width: int, height: int) -> GpuLayout:
    """The most telling way in which all fit; where none does, a grid to scroll with the nodes in trouble first."""
    height = max(1, height)
    columns = -(-len(gpus.gpus) // height)
    column = (width - GAP * (columns - 1)) // max(1, columns)
    if columns <= 1 or column >= LEAST_ROW:
        groups = [Group(view.label, (place,)) for place, view in enumerate(gpus.gpus)]
        lines = -(-len(groups) // max(1, columns))
        return GpuLayout("list", tuple(tuple(groups[y::lines]) for y in range(lines)), column)
    return _grid(gpus, width, height)


def _grid(gpus: GpuSet, width: int, height: int) -> GpuLayout:
    groups = _groups(gpus)
    label = max(len(group.label) for group in groups)
    most = max(len(group.members) for group in groups)
    widest = max(1, (width + GAP) // (label + 1 + most + GAP))
    for columns in range(1, widest + 1):
        lines = -(-len(groups) // columns)
        if lines <= height:
            break
    column = (width - GAP * (columns - 1)) // columns
    cell = max(1, min(WIDEST_CELL, (column - label - 1) // most))
    taken = label + 1 + most * cell
    if lines <= height:
        placed = tuple(tuple(groups[y::lines]) for y in range(lines))
    else:
        groups.sort(key=lambda group: -_severity(gpus, group))
        placed = tuple(tuple(groups[at : at + columns]) for at in range(0, len(groups), columns))
    return GpuLayout("grid", placed, taken, cell, label)


def _groups(gpus: GpuSet) -> list[Group]:
    """A line for each node; further lines of the same node are labelled by their first GPU."""
    by_node: dict[str, list[int]] = {node: [] for node in gpus.nodes}
    for place, view in enumerate(gpus.gpus):
        by_node[view.node].append(place)
    groups = []
    for members in by_node.values():
        for at in range(0, len(members), PER_LINE):
            label = gpus.gpus[members[at]].label
            is_first_of_several = at == 0 and ":" in label and len(by_node) > 1
            groups.append(
                Group(label.partition(":")[0] if is_first_of_several else label, tuple(members[at : at + PER_LINE]))
            )
    return groups


def _severity(gpus: GpuSet, group: Group) -> int:
    worst = [gpus.gpus[place].worst for place in group.members]
    return max((trouble.severity for trouble in worst if trouble is not None), default=0)
