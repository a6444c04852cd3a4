"""End-to-end tests in a real pty with real training."""
