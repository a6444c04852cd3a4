"""The runner, with real programs in real children."""
