"""The cockpit: its screen, the bars around the panes, and what it opens with."""
