"""The windows around a plan's memory: may the program be measured, it is being measured, and what was found."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from textual.binding import Binding, BindingType

from lightning_tui.text.units import gib, plural, short_count, size
from lightning_tui.ui.drawing.canvas import labelled
from lightning_tui.ui.drawing.rows import EMPTY, Row, join, wrap
from lightning_tui.ui.plan.field_window import written
from lightning_tui.ui.plan.memory import bar, span_words, verdict
from lightning_tui.ui.windows.window import Item, ItemList, ListWindow, TextWindow, hint

if TYPE_CHECKING:
    from lightning_tui.plan.outlook import Outlook
    from lightning_tui.plan.savings import Knob

Changes: TypeAlias = "dict[str, object]"

_FACTS_WIDTH = 76


def ask_window(label: str) -> ListWindow[bool]:
    """May the program be run up to its fit? The safe answer comes first."""
    items = [
        Item(False, (("not now", "text"),), note="The program can start without this; its memory then stays unknown."),
        Item(
            True,
            ((f"run {label} up to its fit, once", "text"),),
            note="Its own code runs up to fit: imports, model, data. It does not train and writes no run; what the "
            "program itself does before fit does happen.",
        ),
    ]
    window = ListWindow(f"Measure the memory of {label}?", items)
    window.list.note_height = 3
    return window


class MeasuringWindow(TextWindow, inherit_bindings=False):
    """Says for how long the program has been running; escape alone gives up."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", show=False)]

    def __init__(self, label: str) -> None:
        self.given_up = threading.Event()
        self._label = label
        self._since = time.monotonic()
        super().__init__((("Measuring the memory", "text+b"),), self._memory_rows, width=64)

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(1.0, self.text.redraw)

    def action_close(self) -> None:
        self.given_up.set()
        super().action_close()

    def _memory_rows(self, width: int) -> list[Row]:
        seconds = int(time.monotonic() - self._since)
        running: Row = (("● ", "accent"), (f"{self._label} runs up to its fit", "text"), (f"   {seconds} s", "dim"))
        return [
            EMPTY,
            running,
            EMPTY,
            *wrap("Closing this window cancels it and ends all its processes.", width, "dim"),
            EMPTY,
        ]


_MEASURE_AGAIN: dict[str, object] = {}
_LABEL_WIDTH = 13


def memory_window(memory: Outlook, label: str) -> ListWindow[Changes]:
    """What was found, and what would change it; the answer is a change of the plan, an empty one to measure again."""
    items: list[Item[Changes]] = [_knob_item(knob) for knob in memory.knobs]
    if memory.largest_batch and memory.largest_batch != memory.batch_size:
        left: Row = (("largest batch that certainly fits", "text"),)
        right: Row = ((f"{memory.largest_batch} samples", "text"),)
        note = "Sets batch_size for each device. If the range is wide, a larger batch may fit."
        items.insert(0, Item({"batch_size": memory.largest_batch}, left, right, note=note))
    again = Item(_MEASURE_AGAIN, (("measure again", "text"),), note="Runs the program up to its fit once more.")
    window: MemoryWindow = MemoryWindow(memory, label, [*items, again])
    return window


def _knob_item(knob: Knob) -> Item[Changes]:
    changes = " · ".join(f"{name} {written(value)}" for name, value in knob.changes.items())
    return Item(knob.changes, ((knob.text, "text"),), ((f"−{size(knob.saves)}", "good"),), note=f"Sets {changes}.")


class MemoryWindow(ListWindow[Changes]):
    """Facts above, changes to choose from below."""

    def __init__(self, memory: Outlook, label: str, items: list[Item[Changes]]) -> None:
        keys = hint(("enter", "take"), ("esc", "close"))
        super().__init__(f"Memory of {label}", items, keys=keys)
        self.part = self.list = MemoryList(memory, f"Memory of {label}", items, keys)


class MemoryList(ItemList[Changes]):
    """The list with what was found above it."""

    def __init__(self, memory: Outlook, title: str, items: list[Item[Changes]], keys: Row) -> None:
        super().__init__(title, items, keys)
        self._memory = memory

    def head(self, width: int) -> list[Row]:
        inner = min(width, _FACTS_WIDTH) - 2
        return [EMPTY, *(((" ", "text"), *row) for row in memory_rows(self._memory, inner)), EMPTY]

    def wanted_size(self) -> tuple[int, int]:
        width, height = super().wanted_size()
        return max(width, _FACTS_WIDTH + 4), height


def memory_rows(memory: Outlook, width: int) -> list[Row]:
    """The range, its parts, how it was found and what it leaves out."""
    present, probe, room = memory.present, memory.probe, width - _LABEL_WIDTH
    of = f" of {gib(memory.capacity)} GiB" if memory.capacity is not None else " GiB"
    mark = (("   ", "text"), verdict(present)) if memory.capacity is not None else EMPTY
    told: Row = ((span_words(present), "text+b"), (of, "dim"), *mark)
    setting = f"{present.strategy} · {present.precision} · {plural(present.devices, 'device')}"
    rows = [labelled("Each device", told, width, _LABEL_WIDTH)]
    if memory.capacity is not None:
        rows.append(labelled("", bar(present, memory.capacity, min(44, room)), width, _LABEL_WIDTH))
    rows.append(labelled("Under", ((setting, "text"),), width, _LABEL_WIDTH))
    rows += _wrapped("Parts", ", ".join(f"{name} {size(amount)}" for name, amount in present.parts), width)
    rows.append(labelled("Model", _model_words(memory, room), width, _LABEL_WIDTH))
    if probe.optimizer is not None:
        rows.append(labelled("Optimizer", ((probe.optimizer, "text"),), width, _LABEL_WIDTH))
    rows.append(labelled("Method", ((_METHODS.get(present.method, present.method), "text"),), width, _LABEL_WIDTH))
    if probe.measuring_error is not None:
        rows += _wrapped("Not measured", probe.measuring_error.splitlines()[0], width, "warn")
    return rows + _wrapped("Without", ", ".join(present.omits), width, "dim")


_METHODS = {
    "fake tensors": "a step on fake tensors (shapes without data)",
    "formula": "a formula, from the model's size and a forward pass",
}


def _model_words(memory: Outlook, width: int) -> Row:
    probe = memory.probe
    parts: list[Row] = []
    if probe.parameters is not None:
        parts.append(((short_count(probe.parameters), "text"), (" parameters", "dim")))
    if probe.trainable is not None and probe.trainable != probe.parameters:
        parts.append(((short_count(probe.trainable), "text"), (" trained", "dim")))
    if memory.batch_size is not None:
        parts.append((("batch ", "dim"), (str(memory.batch_size), "text")))
    if probe.blocks:
        parts.append(((f"{probe.blocks[0].count} × {probe.blocks[0].kind}", "text"),))
    return join(parts, width, (" · ", "dim"))


def _wrapped(label: str, text: str, width: int, token: str = "text") -> list[Row]:
    lines = wrap(text, width - _LABEL_WIDTH, token)
    return [labelled(label if not place else "", line, width, _LABEL_WIDTH) for place, line in enumerate(lines)]
