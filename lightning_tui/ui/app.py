"""The Textual application around the cockpit's screen: themes, palette, remapped keys, and leaving on signals."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType

from lightning_tui.ui.cockpit.screen import CockpitScreen
from lightning_tui.ui.drawing.ascii import wants_ascii
from lightning_tui.ui.drawing.theme import DARK, LIGHT, make_theme
from lightning_tui.ui.keys import APP_KEYS, GROUP_TITLES, KEYS, Key, shown_key

if TYPE_CHECKING:
    from textual.command import Provider
    from textual.screen import Screen
    from textual.widget import Widget

    from lightning_tui.ui.options import CockpitOptions
    from lightning_tui.ui.services import Services

SETTLE_S = 0.5
"""How long a key waits for what the key before it opens; then it goes where the focus is."""
STALLED_AFTER_S = 2.0
_RESTORE = b"\x1b[<u\x1b[?1003l\x1b[?1006l\x1b[?1000l\x1b[?2004l\x1b[?1004l\x1b[?1049l\x1b[?25h"
"""Keyboard, mouse, paste and focus modes off, main screen back, cursor on: what Textual itself sends at its end."""


def _palette() -> type[Provider]:
    from lightning_tui.ui.palette import KeyPalette

    return KeyPalette


class CockpitApp(App[None]):
    TITLE = "lightning-tui"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_palette}
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.keys, key.action.removeprefix("app."), key.help, show=False, priority=True, id=key.id)
        for key in APP_KEYS
    ]
    ESCAPE_TO_MINIMIZE = False
    ALLOW_SELECT = False
    CSS = """
    CommandPalette > Vertical { width: 74; max-width: 100%; background: $background; }
    CommandPalette #--input { border: round $accent; background: $background; padding: 0 1; height: 3; }
    CommandPalette #--input.--list-visible { border-bottom: round $accent; }
    CommandPalette SearchIcon { display: none; }
    CommandPalette CommandInput, CommandPalette CommandInput:focus { border: none; background: $background; }
    CommandPalette CommandList { border: none; background: $background; padding: 0 1; scrollbar-size: 1 1; }
    CommandPalette CommandList:focus { border: none; }
    """

    def __init__(self, options: CockpitOptions, services: Services, *, handles_signals: bool = False) -> None:
        super().__init__()
        self._options = options
        self._handles_signals = handles_signals
        self.is_ascii = options.is_ascii or wants_ascii(options.environ)
        self.cockpit = CockpitScreen(options, services)
        self._typed: deque[events.Key] = deque()
        self._typing: asyncio.Task[None] | None = None
        self._typed_to: Widget | None = None
        for name in (DARK, LIGHT):
            self.register_theme(make_theme(name))
        self.theme = DARK

    def get_default_screen(self) -> Screen[None]:
        return self.cockpit

    async def on_event(self, event: events.Event) -> None:
        """Take keys one after the other: what is typed ahead goes to the window that the key before it opens."""
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
            return
        self._typed.append(event)
        if self._typing is None or self._typing.done():
            self._typing = asyncio.create_task(self._take_typed())

    async def _take_typed(self) -> None:
        try:
            while self._typed:
                await self._settle()
                self._typed_to = self.focused or self.screen
                await super().on_event(self._typed.popleft())
        except Exception as error:  # noqa: BLE001 as Textual does with what a key's action raises
            self._handle_exception(error)

    async def _settle(self) -> None:
        """Wait until the last key has been carried out, and the window that it opened, if any, can take keys."""
        if self._typed_to is not None and self._typed_to.is_running:
            is_done = asyncio.Event()
            self._typed_to.call_later(is_done.set)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(is_done.wait(), SETTLE_S)
        deadline = time.monotonic() + SETTLE_S
        while self.focused is None and time.monotonic() < deadline:
            await asyncio.sleep(0.005)

    def on_mount(self) -> None:
        self.set_keymap(dict(self._options.settings.keys))
        # Textual draws only what differs from what it drew last, and `fg` comes back to an empty screen.
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))
        if self._handles_signals:
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, self._leave_on_signal)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette's commands, in the order of the help: keys of the screen, else the cockpit's, and themes."""
        keys: tuple[Key, ...] = getattr(screen, "palette_keys", KEYS)
        run: Callable[[str], object] = self.cockpit.action_act if keys is KEYS else screen.run_action
        for key in sorted(keys, key=lambda key: list(GROUP_TITLES).index(key.group)):
            if key.group != "move" and key.id not in ("open", "back"):
                shown = shown_key(key, self._options.settings.keys)
                yield SystemCommand(f"{GROUP_TITLES[key.group]}: {key.help}", shown, partial(run, key.action))
        yield SystemCommand("Use the dark theme", "Light text on a near-black ground", partial(self._set_theme, DARK))
        yield SystemCommand("Use the light theme", "Dark text on a near-white ground", partial(self._set_theme, LIGHT))

    def action_leave(self) -> None:
        """Leave from anywhere; pressed again over the question, it leaves the run running."""
        if self.screen is not self.cockpit:
            self.exit()
        else:
            self.cockpit.action_act("leave")

    def action_help_quit(self) -> None:
        """What ctrl+c says."""
        keys = self._options.settings.keys
        quit_key = next(key for key in KEYS if key.id == "quit")
        self.cockpit.notice(f"{shown_key(quit_key, keys)} quits; an active run continues")

    def _set_theme(self, name: str) -> None:
        self.theme = name

    def _leave_on_signal(self, number: int, frame: FrameType | None) -> None:
        """Leave in order; where the event loop hangs on a terminal that takes nothing, leave hard after a while."""
        threading.Thread(target=_leave_hard, args=(number,), name="leaving", daemon=True).start()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(lambda: self.exit(return_code=128 + number))


def _leave_hard(number: int) -> None:
    time.sleep(STALLED_AFTER_S)
    os.set_blocking(2, False)
    with contextlib.suppress(OSError):
        os.write(2, _RESTORE)
    os._exit(128 + number)
