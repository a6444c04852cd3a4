"""Tests of `lightning_tui.record`."""
