"""The one table of keys: bindings, footer, help, palette and documentation are all made from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

PANES = {"environment": "Environment", "plan": "Plan", "metrics": "Metrics", "gpus": "GPUs", "log": "Log"}
"""The panes in the order of their number keys, and their titles."""


class Key(msgspec.Struct, frozen=True):
    """One thing that can be done, and the key for it."""

    id: str
    """Name in the settings file."""
    keys: str
    """Textual's names, separated by commas; the first is the one that is shown."""
    action: str
    label: str
    """One word for the footer."""
    help: str
    group: Literal["run", "plan", "move", "log", "metrics", "view", "runs"]
    when: Literal[
        "always", "startable", "active", "training", "plan", "log", "ranks", "metrics", "zoomed", "fixable"
    ] = "always"
    """When the footer offers it. Pressed at another time it says why it does nothing."""
    footer: int = 0
    """Place in the footer, 0 for none; the highest go first where it is narrow."""


KEYS: tuple[Key, ...] = (
    Key("start", "s", "start", "start", "Start the program with this plan", "run", "startable", 1),
    Key("stop", "x", "control('stop')", "stop",
        "Stop the run and save a checkpoint; again: stop harder", "run", "active", 2),
    Key("checkpoint", "c", "control('checkpoint')", "checkpoint",
        "Save a checkpoint now and continue", "run", "training", 3),
    Key("pause", "p", "control('pause')", "pause", "Pause or resume the run, on all ranks", "run", "training", 3),
    Key("validate", "v", "control('validate')", "validate", "Validate now, then continue", "run", "training"),
    Key("end", "e", "control('end')", "finish", "Stop after this epoch and save a checkpoint", "run", "training"),
    Key("rate", "l", "control('rate')", "lr", "Set the learning rate", "run", "training"),
    Key("log-level", "D", "control('log_level')", "level", "Set the log level of Lightning", "run", "training"),
    Key("adopt", "O", "control('adopt')", "adopt",
        "Start a new supervisor if the run's supervisor has died", "run", "active"),
    Key("fix", "f", "fix", "fix", "Relaunch the failed run with a fix", "run", "fixable", 1),
    Key("report", "i", "report", "report", "Read or copy the report of a failed run", "run"),
    Key("runs", "r", "runs", "runs", "Show all runs: attach, compare, relaunch, resume", "run", "always", 8),
    Key("advice", "A", "advice", "suggestions", "Show suggestions for this run, with reasons", "run"),
    Key("open", "enter", "open", "edit", "Edit the field, open the traceback, or open the pane", "view", "plan", 4),
    Key("fields", "a", "plan('fields')", "fields", "Search and set all fields of the plan", "plan", "plan", 5),
    Key("recommend", "R", "plan('recommended')", "recommend",
        "Show the recommended plan for this machine", "plan", "plan", 6),
    Key("plans", "P", "plan('saved')", "plans", "Load or save a plan, or load a preset", "plan", "plan"),
    Key("command", "b", "plan('command')", "export", "Export the plan as a command, Python or YAML", "plan", "plan", 7),
    Key("tune", "t", "tune", "tune", "Tune the batch size or the learning rate", "plan", "plan", 8),
    Key("metric", "m", "metrics('choose')", "metrics", "Choose the metrics to draw", "metrics", "metrics", 4),
    Key("overlay", "o", "metrics('overlay')", "overlay", "Compare the curves with other runs", "metrics", "metrics", 4),
    Key("log-scale", "L", "metrics('log_scale')", "log",
        "Switch between logarithmic and linear scale", "metrics", "metrics", 5),
    Key("smooth", "M", "metrics('smooth')", "smooth",
        "Change the smoothing: none, some, more", "metrics", "metrics", 5),
    Key("unit", "u", "metrics('unit')", "axis", "Change the axis: steps, epochs or time", "metrics", "metrics", 6),
    Key("export", "X", "metrics('export')", "export",
        "Export the metrics as CSV, JSON, SVG or PNG", "metrics", "metrics", 7),
    Key("search", "slash", "log('search')", "search", "Search the log with a regular expression", "log", "log", 4),
    Key("next-hit", "n", "log('next')", "next", "Go to the next match, or the next error", "log", "log", 5),
    Key("previous-hit", "N", "log('previous')", "previous", "Go to the previous match, or the previous error", "log"),
    Key("filter", "F", "log('filter')", "filter", "Filter: matching lines, with context, all lines", "log", "log", 7),
    Key("rank", "k", "log('rank')", "rank", "Choose a rank, or all ranks merged by time", "log", "ranks", 7),
    Key("follow", "space", "log('follow')", "follow", "Follow the end of the log, or stop following", "log", "log", 5),
    Key("top", "g", "log('top')", "top", "Go to the first line of the log", "log"),
    Key("bottom", "G", "log('bottom')", "end", "Go to the last line of the log and follow", "log"),
    Key("jump", "j", "log('jump')", "jump", "Jump to a line, a percentage or a time", "log", "log", 7),
    Key("wrap", "w", "log('wrap')", "wrap", "Wrap long lines, or cut them", "log", "log", 6),
    Key("times", "T", "log('times')", "times", "Show or hide the time of each line", "log"),
    Key("select", "V", "log('select')", "select", "Select lines with up and down", "log"),
    Key("copy", "y", "log('copy')", "copy", "Copy the selection, the traceback or the line", "log", "log", 6),
    Key("save", "S", "log('save')", "save", "Save the matching lines to a file", "log"),
    Key("zoom", "z", "zoom", "zoom", "Zoom the pane to the whole screen, or back", "view", "always", 9),
    Key("back", "escape", "back", "back", "Leave the selection, search, cursor or zoom", "view", "zoomed", 4),
    Key("next-pane", "tab", "focus_pane(1)", "next pane", "Go to the next pane", "move"),
    Key("previous-pane", "shift+tab", "focus_pane(-1)", "previous pane", "Go to the previous pane", "move"),
    *(
        Key(f"pane-{number}", str(number), f"number({number}, '{name}')", title, f"Go to the {title} pane", "move")
        for number, (name, title) in enumerate(PANES.items(), start=1)
    ),
    Key("up", "up", "scroll_pane('line', -1)", "up", "Move up one line, field or metric", "move"),
    Key("down", "down", "scroll_pane('line', 1)", "down", "Move down one line, field or metric", "move"),
    Key("left", "left", "move_across(-1)", "left", "Move left: GPU, cursor of the curves, log", "move"),
    Key("right", "right", "move_across(1)", "right", "Move right: GPU, cursor of the curves, log", "move"),
    Key("page-up", "pageup", "scroll_pane('page', -1)", "page up", "Move one page up; zoom in on the curves", "move"),
    Key("page-down", "pagedown", "scroll_pane('page', 1)", "page down",
        "Move one page down; zoom out of the curves", "move"),
    Key("help", "question_mark,f1", "help", "help", "Show all keys", "view", "always", 10),
    Key("quit", "q", "leave", "quit", "Quit; an active run continues", "run", "always", 11),
)  # fmt: skip
"""Keys of the cockpit's screen."""

APP_KEYS: tuple[Key, ...] = (
    Key("palette", "ctrl+p", "app.command_palette", "palette", "Search all keys by name", "view"),
    Key("suspend", "ctrl+z", "app.suspend_process", "suspend", "Suspend the cockpit; resume it with `fg`", "run"),
    Key("quit-anywhere", "ctrl+q", "app.leave", "quit", "Quit, also from an open window", "run"),
)  # fmt: skip
"""Keys that work everywhere, also over an open window."""

RUNS_KEYS: tuple[Key, ...] = (
    Key("runs-attach", "enter", "attach", "attach", "Open the run in the cockpit", "runs", footer=1),
    Key("runs-mark", "space", "mark", "mark", "Mark or unmark the run", "runs", footer=2),
    Key("runs-compare", "c", "compare", "compare",
        "Compare two marked runs, or the marked one with this", "runs", footer=3),
    Key("runs-relaunch", "n", "relaunch", "relaunch", "Relaunch the run with changes", "runs", footer=4),
    Key("runs-checkpoints", "k", "checkpoints", "resume", "Resume from one of its checkpoints", "runs", footer=5),
    Key("runs-filter", "slash", "filter", "filter", "Filter the runs by state, name or note", "runs", footer=6),
    Key("runs-sort", "s", "sort", "sort", "Sort by the next column", "runs", footer=7),
    Key("runs-overlay", "o", "overlay", "overlay", "Compare the curves of two runs", "runs", footer=8),
    Key("runs-note", "t", "note", "note", "Edit the name and note of the run", "runs", footer=9),
    Key("runs-delete", "d", "delete", "delete", "Delete the run, or the marked runs", "runs", footer=10),
    Key("runs-prune", "P", "prune", "prune", "Delete runs by age, number or size", "runs", footer=11),
    Key("runs-help", "question_mark,f1", "help", "help", "Show all keys", "runs", footer=12),
    Key("runs-close", "escape,q,r", "close", "back", "Return to the cockpit", "runs", footer=13),
)  # fmt: skip
"""Keys of the runs screen."""

COMPARE_KEYS: tuple[Key, ...] = (
    Key("compare-overlay", "o", "overlay", "overlay", "Compare the curves of both runs", "runs", footer=1),
    Key("compare-close", "escape,q,c", "close", "back", "Return to all runs", "runs", footer=2),
)  # fmt: skip
"""Keys of the comparison of two runs."""

GROUP_TITLES = {
    "run": "Run", "plan": "Plan", "view": "View", "metrics": "Metrics", "log": "Log", "move": "Navigate",
    "runs": "Runs screen",
}  # fmt: skip

_NAMES = {"question_mark": "?", "slash": "/", "escape": "esc", "pageup": "page up", "pagedown": "page down"} | {
    "up": "↑", "down": "↓", "left": "←", "right": "→"
}  # fmt: skip


def shown_key(key: Key, remapped: Mapping[str, str]) -> str:
    """How the key is written on the screen, after the user's own settings."""
    name = remapped.get(key.id, key.keys).partition(",")[0]
    return _NAMES.get(name, name)
