"""Which known warnings does a run's output hold? Read as it grows, and matched only where a rule's words stand."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from lightning_tui.diagnosis.engine import diagnose
from lightning_tui.diagnosis.model import Diagnosis, Evidence, OutputTail
from lightning_tui.diagnosis.rules.warnings import RULES
from lightning_tui.record import RunDirectory, RunSnapshot

PIECE = 256 << 10
"""Bytes of a file that are looked at in one turn."""
SKIP_FROM = 4 << 20
"""Of a file that is longer when it is first seen, its beginning and its end are read."""
MOST_RANKS = 16
LONGEST_LINE = 64 << 10

CATEGORIES = frozenset(rule.category for rule in RULES)


@cache
def _needles() -> tuple[bytes, ...]:
    """One substring for each sign, lower case: a line without any of them is never matched."""
    signs = (sign for rule in RULES for sign in rule.signs if sign.where != "exception")
    return tuple({sign.has[0].encode(): None for sign in signs})


class OutputWarnings:
    """Follows the output of all ranks of one run; used by one thread."""

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._places: dict[Path, int] = {}
        self._rests: dict[Path, bytes] = {}
        self._known: set[str] = set()

    def read_new(self, run: RunSnapshot) -> tuple[Diagnosis, ...]:
        """Read what is new, and return the warnings that were not found before."""
        outputs = list(self._directory.outputs(run.attempt).items())[:MOST_RANKS]
        lines = [line for _, path in outputs for line in self._new_lines(path)]
        if not lines:
            return ()
        text = b"\n".join(lines).replace(b"\0", b"").decode("utf-8", errors="replace")
        found = diagnose(_evidence(run, text))
        new = tuple(each for each in found if each.category in CATEGORIES - self._known and each.severity == "warning")
        self._known |= {each.category for each in new}
        return new

    def _new_lines(self, path: Path) -> list[bytes]:
        """Whole lines that came since the last turn and hold one of the needles."""
        try:
            with path.open("rb") as file:
                size = file.seek(0, 2)
                place = self._places.get(path, 0)
                if place == PIECE and size > SKIP_FROM:
                    place = size - PIECE
                file.seek(place)
                data = file.read(PIECE)
        except OSError:
            return []
        self._places[path] = place + len(data)
        whole, newline, rest = (self._rests.get(path, b"") + data).rpartition(b"\n")
        self._rests[path] = rest[-LONGEST_LINE:]
        lower = whole.lower()
        if not newline or not any(word in lower for word in _needles()):
            return []
        return [line for line in whole.split(b"\n") if any(word in line.lower() for word in _needles())]


def _evidence(run: RunSnapshot, text: str) -> Evidence:
    fields = run.trainer.fields if run.trainer is not None else {}
    return Evidence(
        outputs=(OutputTail(text),),
        plan=run.record.plan,
        actual={name: field.actual for name, field in fields.items()},
        world_size=run.trainer.world_size if run.trainer is not None else None,
        gpus=run.gpus,
        host=run.host,
    )
