"""The log: which lines are shown, how they are found, and what its keys do."""
