"""Advice on a run as it goes on: one line, and the window that says more."""
