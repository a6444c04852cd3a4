"""The two windows that ask before something ends: leaving while a run goes on, and stopping it harder."""

from __future__ import annotations

from lightning_tui.ui.view import View
from lightning_tui.ui.windows.window import Item, ListWindow


def leave_window(view: View) -> ListWindow[str]:
    """Leave the run running, stop it, or stay."""
    items = [
        Item(
            "leave",
            (("quit, and leave it running", "text"),),
            note="It continues without the cockpit; attach to it at any time.",
        ),
        Item("stop", (("stop it, then quit", "text"),), note="It finishes the batch, saves a checkpoint and ends."),
        Item("stay", (("cancel", "text"),), note="Nothing changes."),
    ]
    return ListWindow(f"{view.label} is {view.state}", items)


def harder_window(view: View) -> ListWindow[str]:
    """Wait for the gentle stop, take its next step now, or kill."""
    stopping = view.run.stopping if view.run is not None else None
    harder = Item(
        "harder",
        (("send SIGTERM now", "text"),),
        note="Lightning shuts down at once; progress since the last checkpoint may be lost.",
    )
    items = [
        Item("wait", (("wait", "text"),), note="The next steps follow automatically if this takes too long."),
        *([harder] if stopping is None or stopping.rung == "asked" else []),
        Item(
            "kill",
            (("kill every process of the run", "bad"),),
            note="Nothing is saved: progress since the last checkpoint is lost.",
        ),
    ]
    return ListWindow(f"{view.label} is stopping", items)
