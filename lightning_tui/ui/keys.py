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
    Key("start", "s", "start", "start", "Start the program under the plan", "run", "startable", 1),
    Key(
        "stop",
        "x",
        "control('stop')",
        "stop",
        "Stop: finish the batch, save a checkpoint, end. Again: harder",
        "run",
        "active",
        2,
    ),
    Key(
        "checkpoint",
        "c",
        "control('checkpoint')",
        "checkpoint",
        "Save a checkpoint now, and train on",
        "run",
        "training",
        3,
    ),
    Key("pause", "p", "control('pause')", "pause", "Pause on all ranks; again: resume", "run", "training", 3),
    Key("validate", "v", "control('validate')", "validate", "Validate now, then train on", "run", "training"),
    Key("end", "e", "control('end')", "end", "End after this epoch, with a checkpoint", "run", "training"),
    Key("rate", "l", "control('rate')", "rate", "Change the learning rate", "run", "training"),
    Key(
        "log-level", "D", "control('log_level')", "level", "How much Lightning says: debug ... error", "run", "training"
    ),
    Key("adopt", "O", "control('adopt')", "adopt", "A new supervisor, where a run's own has died", "run", "active"),
    Key("fix", "f", "fix", "fix", "Fix what a run failed of, and relaunch it", "run", "fixable", 1),
    Key("report", "i", "report", "report", "What a run failed of, in full: read it, copy it", "run"),
    Key("runs", "r", "runs", "runs", "All runs: attach, compare, relaunch, resume", "run", "always", 8),
    Key("advice", "A", "advice", "advice", "What this run could do better, and why", "run"),
    Key("open", "enter", "open", "edit", "Change the plan's field, open a traceback or the pane", "view", "plan", 4),
    Key("fields", "a", "plan('fields')", "fields", "Every field of the plan: search, see, set", "plan", "plan", 5),
    Key("recommend", "R", "plan('recommended')", "recommend", "The plan that suits this machine", "plan", "plan", 6),
    Key("plans", "P", "plan('saved')", "plans", "Plans by name: load or save one, presets", "plan", "plan"),
    Key("command", "b", "plan('command')", "command", "The plan as a command, Python and YAML", "plan", "plan", 7),
    Key("tune", "t", "tune", "tune", "Find the largest batch that fits, or a learning rate", "plan", "plan", 8),
    Key("metric", "m", "metrics('choose')", "metrics", "Search metrics, choose those to draw", "metrics", "metrics", 4),
    Key("overlay", "o", "metrics('overlay')", "overlay", "Lay other runs under these curves", "metrics", "metrics", 4),
    Key("log-scale", "L", "metrics('log_scale')", "log", "Logarithmic scale, or a plain one", "metrics", "metrics", 5),
    Key("smooth", "M", "metrics('smooth')", "smooth", "Smooth by a moving mean, more, not", "metrics", "metrics", 5),
    Key("unit", "u", "metrics('unit')", "axis", "Steps, epochs or time on the axis", "metrics", "metrics", 6),
    Key("export", "X", "metrics('export')", "export", "Write as CSV, JSON, SVG or PNG", "metrics", "metrics", 7),
    Key("search", "slash", "log('search')", "search", "Search the log by a regular expression", "log", "log", 4),
    Key("next-hit", "n", "log('next')", "next", "Next line that was searched for, or next error", "log", "log", 5),
    Key("previous-hit", "N", "log('previous')", "previous", "The one before", "log"),
    Key(
        "filter", "F", "log('filter')", "filter", "Only lines that match, some around them, all lines", "log", "log", 7
    ),
    Key("rank", "k", "log('rank')", "rank", "Choose whose output the log shows, or all by time", "log", "ranks", 7),
    Key("follow", "space", "log('follow')", "follow", "Follow the log's end, or stay where you are", "log", "log", 5),
    Key("top", "g", "log('top')", "top", "Go to the log's first line", "log"),
    Key("bottom", "G", "log('bottom')", "end", "Go to the log's last line and follow it", "log"),
    Key("jump", "j", "log('jump')", "jump", "Go to a line, a percentage or a time of the log", "log", "log", 7),
    Key("wrap", "w", "log('wrap')", "wrap", "Break long lines of the log, or cut them", "log", "log", 6),
    Key("times", "T", "log('times')", "times", "Show when each line of the log was written", "log"),
    Key("select", "V", "log('select')", "select", "Select lines of the log with up and down", "log"),
    Key("copy", "y", "log('copy')", "copy", "Copy the selection, the traceback or the line", "log", "log", 6),
    Key("save", "S", "log('save')", "save", "Save the lines that match to a file", "log"),
    Key("zoom", "z", "zoom", "zoom", "Give one pane the whole screen, or take it back", "view", "always", 9),
    Key("back", "escape", "back", "back", "Leave the selection, search, cursor, zoomed pane", "view", "zoomed", 4),
    Key("next-pane", "tab", "focus_pane(1)", "next pane", "Go to the next pane", "move"),
    Key("previous-pane", "shift+tab", "focus_pane(-1)", "previous pane", "Go to the previous pane", "move"),
    *(
        Key(f"pane-{number}", str(number), f"number({number}, '{name}')", title, f"Go to the {title} pane", "move")
        for number, (name, title) in enumerate(PANES.items(), start=1)
    ),
    Key("up", "up", "scroll_pane('line', -1)", "up", "One line, field or metric up", "move"),
    Key("down", "down", "scroll_pane('line', 1)", "down", "One line, field or metric down", "move"),
    Key("left", "left", "move_across(-1)", "left", "One GPU to the left; the curves' cursor; the log", "move"),
    Key("right", "right", "move_across(1)", "right", "One GPU to the right; the curves' cursor; the log", "move"),
    Key("page-up", "pageup", "scroll_pane('page', -1)", "page up", "One page up; nearer to the curves", "move"),
    Key("page-down", "pagedown", "scroll_pane('page', 1)", "page down", "One page down; away from the curves", "move"),
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

RUNS_KEYS: tuple[Key, ...] = (
    Key("runs-attach", "enter", "attach", "attach", "Go to the run: watch it, steer it", "runs", footer=1),
    Key("runs-mark", "space", "mark", "mark", "Mark the run, or take the mark away", "runs", footer=2),
    Key("runs-compare", "c", "compare", "compare", "Compare the two marked, or one marked and this", "runs", footer=3),
    Key("runs-relaunch", "n", "relaunch", "relaunch", "The run again, with one thing changed", "runs", footer=4),
    Key("runs-checkpoints", "k", "checkpoints", "resume", "Its checkpoints: resume from one", "runs", footer=5),
    Key("runs-filter", "slash", "filter", "filter", "Only runs with these words: state, name, note", "runs", footer=6),
    Key("runs-sort", "s", "sort", "sort", "Sort by another column", "runs", footer=7),
    Key("runs-overlay", "o", "overlay", "overlay", "Lay the curves of two runs over each other", "runs", footer=8),
    Key("runs-note", "t", "note", "note", "Name the run, or note something of it", "runs", footer=9),
    Key("runs-delete", "d", "delete", "delete", "Delete the run, or those that are marked", "runs", footer=10),
    Key("runs-prune", "P", "prune", "prune", "Delete old runs, or until the rest is small", "runs", footer=11),
    Key("runs-help", "question_mark,f1", "help", "help", "What the keys do", "runs", footer=12),
    Key("runs-close", "escape,q,r", "close", "back", "Back to the cockpit", "runs", footer=13),
)
"""Keys of the runs screen."""

COMPARE_KEYS: tuple[Key, ...] = (
    Key("compare-overlay", "o", "overlay", "overlay", "Lay the curves of both over each other", "runs", footer=1),
    Key("compare-close", "escape,q,c", "close", "back", "Back to all runs", "runs", footer=2),
)
"""Keys of the comparison of two runs."""

GROUP_TITLES = {
    "run": "Run", "plan": "Plan", "view": "View", "metrics": "Metrics", "log": "Log", "move": "Move",
    "runs": "Runs screen",
}  # fmt: skip

_NAMES = {"question_mark": "?", "slash": "/", "escape": "esc", "pageup": "page up", "pagedown": "page down"} | {
    "up": "↑", "down": "↓", "left": "←", "right": "→"
}  # fmt: skip


def shown_key(key: Key, remapped: Mapping[str, str]) -> str:
    """How the key is written on the screen, after the user's own settings."""
    name = remapped.get(key.id, key.keys).partition(",")[0]
    return _NAMES.get(name, name)
