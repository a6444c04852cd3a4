"""Injected into the program's own interpreter: standard library only, relative imports only, inert without a run."""
