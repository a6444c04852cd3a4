"""The first line of the screen: machine, program, state, how long it takes; and what must be said now."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from lightning_tui.text.units import count, duration, plural
from lightning_tui.ui.drawing.canvas import Canvas
from lightning_tui.ui.drawing.rows import EMPTY, Row, crop, ends, fill, width_of, wrap
from lightning_tui.ui.view import View
from lightning_tui.ui.words import BRAND, STATE_MARKS, gpu_name, tail_of_id

if TYPE_CHECKING:
    from lightning_tui.record import RunRecord, RunSnapshot
    from lightning_tui.services.runs import Origin


class StateLine(Canvas):
    """One row; on a screen too small for anything else it is all there is."""

    ground = "bar"

    def __init__(self, view: View) -> None:
        super().__init__("state")
        self.view = view

    def show(self, view: View) -> None:
        self.view = view
        self.redraw()

    def rows(self, width: int, height: int) -> list[Row]:
        if width < 28:
            return [*wrap(f"{state_words(self.view)} · the terminal is too small", width, "text")][:height]
        return [state_row(self.view, width)]


def state_row(view: View, width: int) -> Row:
    """The state line: right part whole, then what must be said, then the machine where there is room."""
    right = _right_part(view, width)
    left = _brand(view)
    left = left if width_of(left) + width_of(right) + 2 <= width else (BRAND[0],)
    candidates = (message_row(view), () if proof_row(view) else remark_row(view), machine_summary(view))
    middle = next((row for row in candidates if row and _fits_between(left, row, right, width)), EMPTY)
    if middle:
        left = (*left, ("   ", "text"), *middle)
    return ends(left, right, width) if width_of(left) + width_of(right) + 1 <= width else fill(right, width)


def _brand(view: View) -> Row:
    return (*BRAND, (" read-only", "warn")) if view.readonly else BRAND


def message_fits(view: View, width: int) -> bool:
    """Whether what must be said has room within the state line."""
    return _fits_between(_brand(view), message_row(view), _right_part(view, width), width)


def message_row(view: View) -> Row:
    """What must be said now: the answer to a key, a countdown, or trouble; empty where there is nothing."""
    if view.notice is not None:
        return ((view.notice.text, view.notice.token),)
    if view.origin is not None and not view.is_active:
        return _origin_row(view.origin, view)
    if view.run is None:
        return EMPTY
    from lightning_tui.record import command_words  # not before a run is there: nothing slow before the first frame

    if view.state == "stopping":
        return (*_stopping_row(view), *_waiting_row(view))
    if (command := command_words.pending(view.run)) is not None:
        return ((f"{command_words.said_by(command)}{command_words.progress_words(command, view.run)}", "warn"),)
    if view.state == "paused":
        return _paused_row(view)
    if view.state == "lost" and view.run.ranks_alive and not view.readonly:
        return (
            ("supervisor gone, ranks still training: stop works, ", "warn"),
            (f"{view.key('adopt')} adopts", "warn"),
        )
    if view.state in ("lost", "starting") and view.run.detail:
        return ((view.run.detail, "warn"),)
    return proof_row(view) or _notice_row(view.run)


def _notice_row(run: RunSnapshot) -> Row:
    return ((run.notices[0], "warn"),) if run.notices else EMPTY


def _paused_row(view: View) -> Row:
    """Since when, by whom, and how it goes on."""
    from lightning_tui.record import command_words

    pauses = [command for command in view.run.commands if command.op == "pause"] if view.run is not None else []
    if not pauses or pauses[-1].done_at is None:
        return (("paused", "warn"),)
    pause, seconds = pauses[-1], max(0.0, view.now - (pauses[-1].done_at or view.now))
    at_step = "" if pause.taken_step is None else f" at step {count(pause.taken_step)}"
    by = f" by {pause.command.asker}" if command_words.said_by(pause) else ""
    resumes: Row = () if view.readonly else ((" · ", "dim"), (view.key("pause"), "accent+b"), (" resumes", "dim"))
    return ((f"paused{at_step}{by} for {duration(seconds)}", "warn"), *resumes)


def _waiting_row(view: View) -> Row:
    """What a stop waits for that has not begun: an epoch, a validation, or a rank."""
    from lightning_tui.record import command_words

    stop = command_words.pending(view.run) if view.run is not None else None
    if view.run is None or stop is None or stop.op != "stop":
        return EMPTY
    waiting = command_words.waiting_words(stop, view.run)
    return ((" · ", "dim"), (waiting, "warn")) if waiting else EMPTY


def _origin_row(origin: Origin, view: View) -> Row:
    """That the next run is a child of another one, and what it goes on from."""
    begins = f" from step {count(origin.step)}" if origin.step is not None else ""
    start: Row = ((view.key("start"), "accent+b"), (" starts a child of ", "dim"))
    return (("↳ ", "accent"), *start, (tail_of_id(origin.run.id), "text"), (begins, "text"))


def remark_row(view: View) -> Row:
    """What the word for a final state does not tell; a failure has its card in the log."""
    if view.run is not None and view.is_active and view.run.record.parent is not None:
        return _parent_row(view.run.record)
    if view.run is None or view.state not in ("stopped", "killed", "finished"):
        return EMPTY
    return ((view.run.detail, "dim"),) if view.run.detail else EMPTY


def proof_row(view: View) -> Row:
    """What was found after an end that a person had asked for, and what the final state's word does not tell."""
    remark = remark_row(view)
    ended = view.run.ended if view.run is not None else None
    if ended is None or ended.proof is None or ended.cause not in ("stop", "kill"):
        return EMPTY
    from lightning_tui.record.state import proof_sentence  # not for the first frame: no run is over then

    found = proof_sentence(ended.proof)
    return ((found, "dim"), (" · ", "dim"), *remark) if remark else ((found, "dim"),)


def _parent_row(record: RunRecord) -> Row:
    """Of which run it is the child, and from which checkpoint it went on."""
    name = f" · {PurePath(record.resumed_from).name}" if record.resumed_from else ""
    return ((f"relaunched from {record.parent}{name}", "dim"),)


def _stopping_row(view: View) -> Row:
    stopping = view.run.stopping if view.run is not None else None
    if stopping is None:
        return (("stop requested: finishing the batch, then saving a checkpoint", "warn"),)
    said = {
        "asked": (_ending_words(view), "SIGTERM"),
        "sigterm": ("SIGTERM was sent", "SIGKILL"),
        "sigkill": ("SIGKILL was sent to all processes of the run", ""),
    }
    now, then = said[stopping.rung]
    if stopping.is_held:
        from lightning_tui.record.state import holding_sentence

        return ((holding_sentence(stopping), "warn"),)
    if stopping.next_rung_at is None or not then:
        return ((now, "warn"),)
    left = max(0, round(stopping.next_rung_at - view.now))
    return ((now, "warn"), (" · ", "dim"), (f"{then} in {left} s", "warn"))


def _ending_words(view: View) -> str:
    stops = [command for command in view.run.commands if command.op == "stop"] if view.run is not None else []
    after = "batch" if not stops or any(stop.command.after == "batch" for stop in stops) else stops[-1].command.after
    if after == "batch":
        return "finishing the batch and saving"
    return f"it stops after this {after}" if after == "epoch" else "it stops after the next validation"


def machine_summary(view: View) -> Row:
    """The machine in a few words."""
    environment = view.environment
    if environment is None:
        return EMPTY
    row: Row = ((environment.platform.label, "text"),)
    names = [gpu_name(gpu.name or "GPU") for node in view.nodes for gpu in node.gpus if gpu.mig is None]
    if names:
        kinds = " + ".join(f"{names.count(name)} × {name}" for name in dict.fromkeys(names))
        return (*row, (f" · {kinds}", "dim"))
    host = view.host
    if host is not None and host.cpu_count:
        return (*row, (f" · {plural(host.cpu_count, 'CPU')}", "dim"))
    return row


def state_words(view: View) -> str:
    """State and program in words alone."""
    if view.is_opening and view.run is None:
        return "opening"
    if view.run is None:
        return "ready"
    return f"{STATE_MARKS[view.run.state.value][0]} {view.run.state.value}"


def _right_part(view: View, width: int) -> Row:
    label = crop(((view.label, "text"),), max(8, width // 3)) if view.label else EMPTY
    mark = _mark(view)
    if view.run is not None:
        label = (*label, (" ", "text"), (tail_of_id(view.run.record.id), "dim"))
    if not label or width_of(label) + width_of(mark) + 8 > width:
        return mark
    return (*label, ("  ", "text"), *mark)


def _mark(view: View) -> Row:
    if view.run is None:
        return (("◌ opening ", "accent"),) if view.is_opening else (("○ ready ", "dim"),)
    state = view.run.state.value
    glyph, token = STATE_MARKS[state]
    elapsed = view.run.took_s(view.now)
    since = "" if elapsed is None else f"{'after ' if view.run.state.is_final else ''}{duration(elapsed)} "
    return ((f"{glyph} ", f"{token}+b"), (state, f"{token}+b"), ("  ", "text"), (since, "dim"))


def _fits_between(left: Row, middle: Row, right: Row, width: int) -> bool:
    return width_of(left) + 3 + width_of(middle) + 2 + width_of(right) <= width
