"""What does the record of a run itself show, whatever its output says? Ranks that vanished, growth, standstill, NaN."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping

from lightning_tui.diagnosis.matching import Hit
from lightning_tui.diagnosis.model import Evidence, Rule
from lightning_tui.record.standstill import Standstill
from lightning_tui.record.state import AMID_FIT, BEFORE_FIT
from lightning_tui.text.units import size

NEARLY_FULL = 0.92
"""Share of main memory from which a SIGKILL is taken for the kernel's."""


def conduct_hits(evidence: Evidence, rules: Mapping[str, Rule]) -> list[Hit]:
    """Findings that need no text."""
    return [
        Hit(rules[category], weight, captured, None, text, rank, None, float("inf"))
        for category, weight, captured, text, rank in _findings(evidence)
    ]


def ending_signal(evidence: Evidence) -> str | None:
    """The signal that ended the program, by its name, or by an exit code as a shell tells it (128 + number)."""
    if evidence.signal is not None:
        return evidence.signal
    code = evidence.exit_code
    number = 0 if code is None else -code if code < 0 else code - 128 if 128 < code < 160 else 0
    return next((each.name for each in signal.Signals if each.value == number), None)


_Finding = tuple[str, int, dict[str, str], str, int | None]


def _findings(evidence: Evidence) -> Iterator[_Finding]:
    yield from _deaths(evidence)
    yield from _exits(evidence)
    yield from _signs_of_trouble(evidence)


def _deaths(evidence: Evidence) -> Iterator[_Finding]:
    name = ending_signal(evidence)
    vanished = evidence.conduct.vanished[0] if evidence.conduct.vanished else None
    simple = {
        "SIGSEGV": ("segfault", 50),
        "SIGBUS": ("dataloader-shm", 50),
        "SIGABRT": ("abort", 33),
        "SIGILL": ("illegal-instruction", 50),
        "SIGTERM": ("sigterm", 34),
        "SIGHUP": ("sighup", 50),
        "SIGINT": ("keyboard-interrupt", 50),
    }
    if name in simple:
        category, weight = simple[name]
        yield category, weight, {}, f"the program was ended by {name}", vanished
    if name == "SIGKILL" or (vanished is not None and name not in simple):
        rank = 0 if vanished is None else vanished
        text = (
            f"rank {rank}'s process was ended by SIGKILL"
            if name
            else f"rank {rank}'s process vanished without a message"
        )
        if _memory_was_full(evidence):
            yield "host-oom-killed", 51, {"what": _memory_words(evidence)}, text, rank
        else:
            yield "worker-sigkill", 49, {"rank": str(rank)}, text, rank


def _memory_was_full(evidence: Evidence) -> bool:
    host = evidence.host
    if host is None or not host.memory_total or host.memory_used is None:
        return False
    return host.memory_used >= NEARLY_FULL * host.memory_total


def _memory_words(evidence: Evidence) -> str:
    host = evidence.host
    if host is None or host.memory_used is None or host.memory_total is None:
        return ""
    return f"{size(host.memory_used)} of {size(host.memory_total)} was in use at the end"


def _exits(evidence: Evidence) -> Iterator[_Finding]:
    early, before = evidence.conduct.left_early, evidence.conduct.left_before
    if early or before is not None:
        rank, when = (early[0], AMID_FIT) if early else (before, BEFORE_FIT)
        text = f"rank {rank} left with exit code 0 {when}"
        yield "rank-exited-early", 58, {"rank": str(rank), "when": when}, text, rank
    elif (still := evidence.conduct.standstill) is not None and still.kind == "left":
        yield "rank-exited-early", 58, {"standstill": _sentence(still)}, still.words, still.rank
    code = evidence.conduct.program_exit
    if code is not None and not evidence.exceptions:
        text = f"the program exited with code {code} before the fit had finished"
        yield "program-exit", 33, exit_words(evidence, code), text, None


def _sentence(still: Standstill) -> str:
    return still.words[:1].upper() + still.words[1:]


def exit_words(evidence: Evidence, code: int) -> dict[str, str]:
    """What is known of a program that ended itself."""
    conduct = evidence.conduct
    words = {"code": str(code), "text": conduct.exit_text.strip().partition("\n")[0]}
    if conduct.complete_at is not None:
        return words | {"when": "after training was complete", "complete": str(conduct.complete_at)}
    return words | ({"when": "before training was done"} if evidence.actual else {})


def _signs_of_trouble(evidence: Evidence) -> Iterator[_Finding]:
    conduct = evidence.conduct
    if conduct.nan_metrics:
        names = ", ".join(conduct.nan_metrics[:3])
        yield "nan-loss", 33, {"what": f"The newest value of {names} is not a finite number"}, f"{names}: nan", None
    still = conduct.standstill
    if conduct.silent_s is not None and (still is None or still.kind != "left"):
        step = "" if conduct.step_time_s is None else f"{conduct.step_time_s:.2g}"
        silent = f"{conduct.silent_s:.0f} s" if conduct.silent_s < 120 else f"{conduct.silent_s / 60:.0f} min"
        words = f"No step for {silent}" if still is None else _sentence(still)
        text = f"no step for {silent}" if still is None else still.words
        yield "stall", 55, {"standstill": words, "step": step}, text, None if still is None else still.rank
    for growth, what in ((conduct.host_growth, "main memory"), (conduct.device_growth, "GPU memory")):
        if growth is not None:
            captured = {"first": size(growth[0]), "last": f"{size(growth[1])} of {what}"}
            text = f"{what} grew from {size(growth[0])} to {size(growth[1])}"
            yield "memory-growth", 57, captured, text, None
