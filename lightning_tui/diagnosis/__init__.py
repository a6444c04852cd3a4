"""What went wrong, why, and what to do? Rules as data, matched against a run's output, telemetry and end."""

from lightning_tui.diagnosis.engine import diagnose
from lightning_tui.diagnosis.model import (
    CodeHint,
    Conduct,
    Diagnosis,
    Evidence,
    EvidenceLine,
    OutputTail,
    ReportedException,
    Suggestion,
    apply,
)
from lightning_tui.diagnosis.report import flags, report_text
from lightning_tui.diagnosis.sources import evidence_of_file, evidence_of_run, evidence_of_text

__all__ = [
    "CodeHint",
    "Conduct",
    "Diagnosis",
    "Evidence",
    "EvidenceLine",
    "OutputTail",
    "ReportedException",
    "Suggestion",
    "apply",
    "diagnose",
    "evidence_of_file",
    "evidence_of_run",
    "evidence_of_text",
    "flags",
    "report_text",
]
