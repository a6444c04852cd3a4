"""The one table of keys: bindings, footer, help, palette and documentation are all made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

PANES = {"environment": "Environment", "plan": "Plan", "metrics": "Metrics", "gpus": "GPUs", "log": "Log"}
"""The panes in the order of their number keys, and their titles."""


@dataclass(frozen=True)
class Key:
    """One thing that can be done, and the key for it."""

    id: str
    """Name in the settings file."""
    keys: str
    """Textual's names, separated by commas; the first is the one that is shown."""
    action: str
    label: str
    """One word for the footer."""
    help: str
    group: Literal["run", "move", "log", "view"]
    when: Literal["always", "startable", "active", "training", "plan", "log", "ranks", "metrics", "zoomed"] = "always"
    """When the footer offers it. Pressed at another time it says why it does nothing."""
    footer: int = 0
    """Place in the footer, 0 for none; the highest go first where it is narrow."""


KEYS: tuple[Key, ...] = (
    Key("start", "s", "start", "start", "Start the program under the plan", "run", "startable", 1),
    Key(
        "stop", "x", "stop", "stop", "Stop: finish the batch, save a checkpoint, end. Again: harder", "run", "active", 2
    ),
    Key("checkpoint", "c", "checkpoint", "checkpoint", "Save a checkpoint now, and train on", "run", "training", 3),
    Key("runs", "r", "runs", "runs", "All runs: attach to one, or delete one", "run", "always", 8),
    Key("open", "enter", "open", "edit", "Change the plan's field, or open the pane", "view", "plan", 4),
    Key("metric", "m", "next_metric", "metric", "Draw the next metric", "view", "metrics", 5),
    Key("rank", "k", "choose_rank", "rank", "Choose whose output the log shows", "log", "ranks", 7),
    Key("follow", "space", "toggle_follow", "follow", "Follow the log's end, or stay where you are", "log", "log", 5),
    Key("top", "g", "log_top", "top", "Go to the log's first line", "log"),
    Key("bottom", "G", "log_bottom", "end", "Go to the log's last line and follow it", "log"),
    Key("wrap", "w", "toggle_wrap", "wrap", "Break long lines of the log, or cut them", "log", "log", 6),
    Key("zoom", "z", "zoom", "zoom", "Give one pane the whole screen, or take it back", "view", "always", 9),
    Key("back", "escape", "back", "back", "Leave the zoomed pane", "view", "zoomed", 4),
    Key("next-pane", "tab", "focus_pane(1)", "next pane", "Go to the next pane", "move"),
    Key("previous-pane", "shift+tab", "focus_pane(-1)", "previous pane", "Go to the previous pane", "move"),
    *(
        Key(f"pane-{number}", str(number), f"jump('{name}')", title, f"Go to the {title} pane", "move")
        for number, (name, title) in enumerate(PANES.items(), start=1)
    ),
    Key("up", "up", "scroll_pane('line', -1)", "up", "One line or field up", "move"),
    Key("down", "down", "scroll_pane('line', 1)", "down", "One line or field down", "move"),
    Key("page-up", "pageup", "scroll_pane('page', -1)", "page up", "One page up", "move"),
    Key("page-down", "pagedown", "scroll_pane('page', 1)", "page down", "One page down", "move"),
    Key("help", "question_mark,f1", "help", "help", "What the keys do", "view", "always", 10),
    Key("quit", "q", "leave", "quit", "Leave; a run goes on unless you say otherwise", "run", "always", 11),
)
"""Keys of the cockpit's screen."""

APP_KEYS: tuple[Key, ...] = (
    Key("palette", "ctrl+p", "app.command_palette", "palette", "Find a command by its name", "view"),
    Key("suspend", "ctrl+z", "app.suspend_process", "suspend", "Put the cockpit aside; `fg` brings it back", "run"),
    Key("quit-anywhere", "ctrl+q", "app.leave", "quit", "Leave from anywhere", "run"),
)
"""Keys that work everywhere, also over an open window."""

GROUP_TITLES = {"run": "Run", "view": "View", "log": "Log", "move": "Move"}

_NAMES = {"question_mark": "?", "escape": "esc", "pageup": "page up", "pagedown": "page down", "up": "↑", "down": "↓"}


def shown_key(key: Key, remapped: Mapping[str, str]) -> str:
    """How the key is written on the screen, after the user's own settings."""
    name = remapped.get(key.id, key.keys).partition(",")[0]
    return _NAMES.get(name, name)


def is_offered(
    key: Key, *, startable: bool, active: bool, training: bool, has_run: bool, has_ranks: bool, pane: str, zoomed: bool
) -> bool:
    """Whether the footer offers the key now."""
    return {
        "always": True,
        "startable": startable,
        "active": active,
        "training": training,
        "plan": pane == "plan",
        "log": pane == "log" and has_run,
        "ranks": pane == "log" and has_ranks,
        "metrics": pane == "metrics" and has_run,
        "zoomed": zoomed,
    }[key.when]
