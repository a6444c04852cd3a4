"""Tuning a program: the window, and the thread in which the search runs."""
