"""Tests of `lightning_tui.cli`."""
