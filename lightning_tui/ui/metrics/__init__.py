"""Metrics: curves, what is said of them, and what their keys do."""
