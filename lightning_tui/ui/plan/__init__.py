"""The plan on the screen: its pane, its windows, and what changes it."""
