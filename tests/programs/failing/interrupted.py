"""Waits, until somebody presses Ctrl-C."""

import time
from pathlib import Path

Path("ready").touch()
time.sleep(600)  # here
