"""What would a traceback look like without us? Our own frames are taken out before anybody sees it."""

from __future__ import annotations

import os
from types import TracebackType

_HERE = os.path.dirname(os.path.dirname(os.path.realpath(__file__))) + os.sep
_IMPORT_MACHINERY = "<frozen importlib"
_LONGEST = 256 * 1024


def hide_our_frames(error: BaseException) -> BaseException:
    """Take our frames out of the exception's traceback, and out of those it was raised from; return it."""
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        link.__traceback__ = _without_our_frames(link.__traceback__)
        link = link.__cause__ or link.__context__
    return error


def leave_no_frame(error: BaseException) -> None:
    """To be called by a wrapper of ours that has caught `error` and raises it again by a bare `raise`: whoever catches
    it outside finds no frame of the wrapper. (Python 3.10 keeps it.)"""
    error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next


def formatted(error: BaseException) -> str:
    """Return the whole traceback as text, at most 256 KiB: its end, where the reason stands."""
    import traceback

    text = "".join(traceback.format_exception(type(error), error, _without_our_frames(error.__traceback__)))
    return text if len(text) <= _LONGEST else "…" + text[-_LONGEST:]


def type_name(error: BaseException) -> str:
    """Return the qualified name of the exception's type, `torch.OutOfMemoryError`; built-in ones go without module."""
    kind = type(error)
    return (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )


def _without_our_frames(traceback: TracebackType | None) -> TracebackType | None:
    entries = []
    while traceback is not None:
        entries.append(traceback)
        traceback = traceback.tb_next
    ours = [_is_ours(entry) for entry in entries]
    _spread_over_import_machinery(entries, ours)
    _spread_over_import_machinery(entries[::-1], reversed_ours := ours[::-1])
    hidden = [a or b for a, b in zip(ours, reversed_ours[::-1], strict=True)]
    chain: TracebackType | None = None
    for entry, hide in zip(reversed(entries), reversed(hidden), strict=True):
        if not hide:
            chain = TracebackType(chain, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return chain


def _spread_over_import_machinery(entries: list[TracebackType], ours: list[bool]) -> None:
    """Python hides the frames of an import; with one of ours among them it no longer would."""
    for i in range(1, len(entries)):
        name = entries[i].tb_frame.f_code.co_filename
        ours[i] = ours[i] or (ours[i - 1] and name.startswith(_IMPORT_MACHINERY))


def _is_ours(entry: TracebackType) -> bool:
    return os.path.realpath(entry.tb_frame.f_code.co_filename).startswith(_HERE)
