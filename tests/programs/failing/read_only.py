"""Keeps its results beside a data set that is mounted for reading only."""

from pathlib import Path

results = Path("scratch", "results")
results.mkdir()  # here
