"""A run in trouble: the card, the window before a relaunch, and what its keys do."""
