"""Run all benches and write `docs/performance.md`."""

from __future__ import annotations

from pathlib import Path

from benchmarks import gpus, log, metrics, startup, telemetry
from benchmarks.report import write_page


def main() -> None:
    """Measure and write."""
    tables = []
    for bench in (startup, telemetry, gpus, log, metrics):
        tables.append(bench.measure())
        print(tables[-1].markdown(), end="\n\n", flush=True)
    write_page(Path(__file__).parent.parent / "docs" / "performance.md", tables)


if __name__ == "__main__":
    main()
