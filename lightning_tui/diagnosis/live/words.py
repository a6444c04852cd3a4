"""How is advice said in a line? Untrusted names in it never steer a terminal."""

from __future__ import annotations

from lightning_tui.diagnosis.live.model import Advice
from lightning_tui.diagnosis.report import flags
from lightning_tui.diagnosis.templates import plain


def percent(share: float) -> str:
    """`43 %`."""
    return f"{share * 100:.0f} %"


def one_line(advice: Advice) -> str:
    """The advice, and the first thing to do, in one printable line."""
    first = next(iter(advice.suggestions), None)
    if first is None:
        return plain(advice.title)
    changes = next((s.changes for s in advice.suggestions if s.changes), None)
    flag = f" [{flags(changes)}]" if changes else ""
    return plain(f"{advice.title}. {first.text}") + flag
