"""Benches against named peers, measured in the same run; `python -m benchmarks` writes `docs/performance.md`."""
