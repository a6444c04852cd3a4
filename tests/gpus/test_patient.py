"""A reader that does not wait for ever, over the real binding and a stand-in library that hangs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gpus.stub import build_stub

_CHILD = """
import threading
from lightning_tui.gpus import DriverFacts, PatientReader

reader = PatientReader(patience_s={patience})
gpus = reader.read()
facts = reader.driver_facts()
reader.close()
print([gpu.name for gpu in gpus], reader.missing, facts.cuda, threading.active_count())
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is needed to build the stand-in library")
def test_a_driver_that_hangs_is_left_behind(tmp_path: Path) -> None:
    environ = os.environ | {"LD_LIBRARY_PATH": str(build_stub(tmp_path))}

    def look(patience: float, **scene: str) -> str:
        command = [sys.executable, "-c", _CHILD.format(patience=patience)]
        return subprocess.check_output(command, env=environ | scene, text=True, timeout=60).strip()

    assert look(60) == "['Fake H100 0'] None 12.4 1"
    for hanging in ("init", "0"):
        said = look(0.1, FAKE_NVML_HANG=hanging)
        assert said == "[] the NVIDIA driver has not answered for 0 s None 2", "one thread is stuck, and only one"
