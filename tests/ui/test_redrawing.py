"""A pane is drawn anew only where something that it draws has changed; what it draws is what it says that it draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from lightning_tui.record import RunSnapshot
from lightning_tui.services.machine import Hardware
from lightning_tui.ui.pane import Pane
from lightning_tui.ui.view import View
from tests.ui import machines, scenes

FIELDS = frozenset(field.name for field in fields(View))


class WatchedView(View):
    """A view that notes which of its fields are read."""

    def __getattribute__(self, name: str) -> Any:
        if name in FIELDS:
            object.__getattribute__(self, "__dict__").setdefault("_read", set()).add(name)
        return object.__getattribute__(self, name)


def watched(view: View) -> WatchedView:
    return WatchedView(**{name: getattr(view, name) for name in FIELDS})


def fields_read(view: WatchedView) -> set[str]:
    return set(vars(view).get("_read", ()))


SCENES: dict[str, Callable[[Path], RunSnapshot] | None] = {
    "idle": None,
    "training": scenes.training,
    "failed": scenes.failed,
    "cpu": scenes.validating_on_cpu,
}


@pytest.mark.parametrize("name", SCENES)
async def test_a_pane_reads_nothing_that_it_does_not_say_it_draws(name: str, tmp_path: Path) -> None:
    make = SCENES[name]
    app = scenes.cockpit(tmp_path, make(tmp_path) if make is not None else None)
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        read: dict[str, set[str]] = {}
        for pane in app.cockpit.parts.panes.values():
            if not pane.draws:
                continue
            for size in ((38, 1), (38, 12), (76, 34), (116, 34)):
                drawn, said = watched(app.cockpit.view), watched(app.cockpit.view)
                pane.view = drawn
                pane.rows(*size)
                for draws in pane.draws:
                    getattr(said, draws)
                read.setdefault(pane.name_of_pane, set()).update(fields_read(drawn))
                assert fields_read(drawn) <= fields_read(said), f"the {pane.name_of_pane} pane at {size}"
        assert len(read) >= 3
        assert all(read.values()), "a pane that draws something has read something"


async def test_a_reading_of_the_hardware_draws_only_the_panes_that_show_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = scenes.cockpit(tmp_path, None)
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        drawn: list[str] = []
        with monkeypatch.context() as patch:
            for pane in app.cockpit.parts.panes.values():
                patch.setattr(pane, "redraw", lambda pane=pane: drawn.append(_name(pane)))
            view = app.cockpit.view
            hotter = replace(view, now=view.now + 1, hardware=Hardware((), None, machines.busy_host()))
            for pane in app.cockpit.parts.panes.values():
                pane.show(hotter)
            assert not {"plan", "log"} & set(drawn)
            assert {"environment", "gpus"} <= set(drawn)
            app.cockpit.parts.panes["plan"].show(replace(hotter, readonly=True))
            assert drawn[-1] == "plan"


def _name(pane: Pane) -> str:
    return pane.name_of_pane
