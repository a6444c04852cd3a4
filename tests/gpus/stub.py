"""Builds the stand-in for the driver's library, for the tests that drive the real nvidia-ml-py."""

from __future__ import annotations

import subprocess
from pathlib import Path


def build_stub(folder: Path, *options: str) -> Path:
    """Compile the stand-in into `folder`, which is then what LD_LIBRARY_PATH shall be."""
    source = Path(__file__).with_name("nvml_stub.c")
    command = ["gcc", "-O1", "-shared", "-fPIC", "-Wall", "-Werror", "-Wl,-soname,libnvidia-ml.so.1", *options]
    subprocess.run([*command, "-o", str(folder / "libnvidia-ml.so.1"), str(source)], check=True, timeout=60)
    return folder
