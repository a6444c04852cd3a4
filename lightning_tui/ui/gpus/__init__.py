"""GPUs and hosts on the screen: their pane, and the window of one GPU."""
