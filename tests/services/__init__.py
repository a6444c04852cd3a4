"""Tests of `lightning_tui.services`."""
