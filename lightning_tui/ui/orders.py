"""How does the cockpit ask the outside? Each order is carried out in a thread and answered on the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from lightning_tui.ui.messages import Refused
from lightning_tui.ui.threads import Action

if TYPE_CHECKING:
    from textual.message import Message

    from lightning_tui.ui.services import Services

T = TypeVar("T")

ONLY_WATCHES = "this cockpit is read-only"
NO_RUN = "no run is active"
ADOPTED = "adopted: a new supervisor watches the run"
STOP_ASKED = "stop requested: finishing the batch, then saving a checkpoint"


class Orders:
    """Gives orders; none of the methods waits."""

    def __init__(self, services: Services, post: Callable[[Message], object], *, readonly: bool = False) -> None:
        self.services = services
        self._readonly = readonly
        self._post = post

    def ask(
        self, name: str, refusal: str | Callable[[str], object], act: Callable[[], T], take: Callable[[T], object]
    ) -> None:
        """Call `act` in a thread, and `take` with what it returns; a refusal is told as by an `Action`."""
        Action(name, refusal, act, take, self._post).start()

    def change(self, name: str, refusal: str, act: Callable[[], T], take: Callable[[T], object]) -> None:
        """Give an order that changes something, which a cockpit that only watches never does, whoever calls."""
        if self._readonly:
            self._post(Refused(refusal, f"{ONLY_WATCHES}."))
        else:
            self.ask(name, refusal, act, take)
