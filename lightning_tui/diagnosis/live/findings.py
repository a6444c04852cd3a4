"""What is there to say of a run in one list? Its diagnoses and the advice on it, each thing once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lightning_tui.diagnosis.live.model import Advice
from lightning_tui.diagnosis.model import Diagnosis, EvidenceLine

_CATEGORIES = {"metric-lost": "nan-loss", "gpu-memory-growth": "memory-growth"}
"""Advice that tells more of what a diagnosis knows under another name."""


def with_advice(found: Sequence[Diagnosis], advice: Iterable[Advice]) -> tuple[Diagnosis, ...]:
    """The advice that still holds, the gravest first, as diagnoses; then what else was found."""
    told = [_diagnosis(each) for each in advice if each.until is None]
    categories = {diagnosis.category for diagnosis in told}
    return (*told, *(diagnosis for diagnosis in found if diagnosis.category not in categories))


def _diagnosis(advice: Advice) -> Diagnosis:
    name = advice.id.partition(":")[0]
    at_step = "" if advice.step is None else f", step {advice.step}"
    return Diagnosis(
        category=_CATEGORIES.get(name, name),
        title=advice.title,
        cause=advice.cause,
        suggestions=advice.suggestions,
        evidence=EvidenceLine(None, f"the record of the run{at_step}"),
        rank=advice.rank,
        severity=advice.severity,
    )
