"""A controller holds a port, so that a small fake stands for the whole cockpit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer

from lightning_tui.plan.model import Plan
from lightning_tui.record import RunDirectory, RunSnapshot
from lightning_tui.services.programs import ProgramChoice
from lightning_tui.ui.cockpit.screen import CockpitScreen
from lightning_tui.ui.messages import LeaveNow, Returned
from lightning_tui.ui.orders import NO_RUN, ONLY_WATCHES, STOP_ASKED, Orders
from lightning_tui.ui.port import Port
from lightning_tui.ui.steering.actions import IS_STOPPING, RunControl
from lightning_tui.ui.view import Notice, View
from tests.ui import scenes
from tests.ui.outside import FakeOutside


class FakePort:
    """Remembers what it was told."""

    def __init__(self, run: RunSnapshot | None = None, **changes: Any) -> None:
        self.view = replace(View(now=0.0, plan=Plan(), run=run), **changes)
        self.directory = RunDirectory(Path(run.directory)) if run is not None else None
        self.width = 80
        self.said: list[str] = []
        self.opened: list[Screen[Any]] = []
        self.reported: list[Message] = []

    @property
    def window(self) -> Screen[Any]:
        return self.opened[-1]

    def change(self, **changes: Any) -> None:
        self.view = replace(self.view, **changes)

    def notice(self, text: str, token: str = "text", seconds: float | None = 6.0) -> None:
        self.said.append(text)
        self.change(notice=Notice(text, token, seconds))

    def open(self, window: Screen[Any], take: Callable[[Any], object] | None = None) -> None:
        self.opened.append(window)

    def post_message(self, message: Message) -> bool:
        self.reported.append(message)
        return True

    def set_interval(self, interval: float, callback: Callable[[], object]) -> Timer:
        raise NotImplementedError

    def attach(self, directory: RunDirectory, *, is_ours: bool = False) -> None:
        self.directory = directory

    def detach(self, *, is_opening: bool = False) -> None:
        self.directory = None
        self.change(run=None, is_opening=is_opening)

    def jump(self, pane: str) -> None:
        raise NotImplementedError


def control_of(port: Port, asked: list[str] | None = None) -> RunControl:
    orders = Orders(FakeOutside().services(), port.post_message, readonly=port.view.readonly)
    return RunControl(port, orders, lambda: (asked if asked is not None else []).append("program"))


def test_the_screen_is_a_port(tmp_path: Path) -> None:
    screen: Port = scenes.cockpit(tmp_path, None).cockpit
    assert isinstance(screen, CockpitScreen)


@pytest.mark.parametrize("key", ["stop", "checkpoint", "pause", "rate", "adopt"])
def test_a_key_that_steers_says_why_it_does_nothing(key: str, tmp_path: Path) -> None:
    idle, watching = FakePort(), FakePort(scenes.training(tmp_path), readonly=True)
    control_of(idle).act(key)
    control_of(watching).act(key)
    assert (idle.said, watching.said) == ([NO_RUN], [ONLY_WATCHES])


def test_a_stop_is_said_at_once_and_then_asks_whether_harder(tmp_path: Path) -> None:
    running, stopping = FakePort(scenes.training(tmp_path)), FakePort(scenes.stopping(tmp_path))
    control_of(running).act("stop")
    assert running.said == [STOP_ASKED]
    control_of(stopping).act("validate")
    control_of(stopping).act("stop")
    assert stopping.said == [IS_STOPPING]
    assert len(stopping.opened) == 1


def test_start_asks_for_a_program_where_none_is_chosen_and_waits_for_the_run_that_goes_on(tmp_path: Path) -> None:
    asked: list[str] = []
    idle, running = FakePort(), FakePort(scenes.training(tmp_path))
    control_of(idle, asked).start()
    control_of(running, asked).start()
    assert asked == ["program"]
    assert "a run is active" in running.said[0]


def test_leaving_asks_only_where_a_run_goes_on(tmp_path: Path) -> None:
    idle, running = FakePort(), FakePort(scenes.training(tmp_path))
    control_of(idle).leave()
    control_of(running).leave()
    assert [type(report) for report in idle.reported] == [LeaveNow]
    assert len(running.opened) == 1


def test_a_started_run_is_followed(tmp_path: Path) -> None:
    port = FakePort(program=ProgramChoice(("demo",), tmp_path, Path("python"), False))
    outside = FakeOutside(scenes.training(tmp_path))
    RunControl(port, Orders(outside.services(), port.post_message), lambda: None).start()
    while not port.reported:
        time.sleep(0.01)
    [report] = port.reported
    assert isinstance(report, Returned)
    report.take()
    assert port.directory is not None
