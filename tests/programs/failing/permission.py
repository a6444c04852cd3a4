"""Reads a file that belongs to somebody else."""

from pathlib import Path

labels = Path("labels.csv")
if not labels.exists():
    labels.write_text("1,2\n")
    labels.chmod(0)
print(labels.read_text())  # here
