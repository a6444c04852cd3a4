"""What may a feature do with the cockpit? The port that its controller holds in place of the whole screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from textual.message import Message
    from textual.screen import Screen
    from textual.timer import Timer

    from lightning_tui.record import RunDirectory
    from lightning_tui.ui.view import View

NOTICE_S = 6.0
T = TypeVar("T")


class Port(Protocol):
    """Shows moments, opens windows, and follows runs. But for `post_message` all of it is for the event loop alone."""

    @property
    def view(self) -> View:
        """The moment that is shown."""

    @property
    def directory(self) -> RunDirectory | None:
        """Where the run lives that is followed."""

    @property
    def window(self) -> Screen[Any]:
        """What takes the keys: the newest open window, or the cockpit itself."""

    @property
    def width(self) -> int:
        """Columns of the terminal."""

    def change(self, **changes: object) -> None:
        """Show another moment, in which these parts of the view are different."""

    def notice(self, text: str, token: str = "text", seconds: float | None = NOTICE_S) -> None:
        """Say something in the state line for a while; `None`: until something else is said."""

    def open(self, window: Screen[T], take: Callable[[T | None], object] | None = None) -> None:
        """Open a window; `take` gets what it is left with."""

    def post_message(self, message: Message) -> bool:
        """Report something, from any thread."""

    def set_interval(self, interval: float, callback: Callable[[], object]) -> Timer:
        """Call this every so many seconds."""

    def attach(self, directory: RunDirectory, *, is_ours: bool = False) -> None:
        """Follow this run from now on. Where it `is_ours`, it has the program and the plan that are chosen already."""

    def detach(self, *, is_opening: bool = False) -> None:
        """Follow no run any more; `is_opening` where another one is on its way."""

    def jump(self, pane: str) -> None:
        """Give this pane the keys."""
