"""Run benches and write their sections of `docs/performance.md`: all of them, or those that are named."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from benchmarks.report import write_page

BENCHES = ("startup", "telemetry", "agreement", "gpus", "log", "metrics", "runs")
"""Modules of this package with a `measure()`, in the order of the page."""
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


def main() -> None:
    """Measure and write. The sections of benches that are not named stay as they are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *BENCHES], metavar="|".join(BENCHES))
    for name in parser.parse_args().names or BENCHES:
        table = importlib.import_module(f"benchmarks.{name}").measure()
        print(table.markdown(), end="\n\n", flush=True)
        write_page(PAGE, table)


if __name__ == "__main__":
    main()
