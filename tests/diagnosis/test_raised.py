"""Errors that the installed libraries raise here, plain and as launchers write them."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from lightning_tui.diagnosis import Evidence, OutputTail, diagnose
from tests.diagnosis.raised import ERRORS
from tests.diagnosis.test_prefixes import PREFIXES, prefixed


@cache
def raised() -> dict[str, str]:
    """The tracebacks of all programs, from one process."""
    command = [sys.executable, str(Path(__file__).with_name("raised.py"))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return dict(json.loads(done.stdout[done.stdout.index('{"') :]))


@pytest.mark.parametrize("name", ERRORS)
def test_what_a_library_says_is_understood_behind_each_prefix(name: str) -> None:
    fair = ERRORS[name][0].split("|")
    text = raised()[name]
    for prefix in ("", *PREFIXES):
        written = prefixed(PREFIXES[prefix], text) if prefix else text
        told = diagnose(Evidence(outputs=(OutputTail(written),)))
        assert told, prefix
        assert told[0].category in fair, prefix
        if "train.py" in text and not text.rstrip().endswith("SyntaxError"):
            assert told[0].where is not None, prefix
            assert told[0].where.path.endswith("train.py"), prefix
