"""What runs inside the training process. `lightning_tui_runner/` is injected by path; nothing of ours imports it."""
