"""What does a training tell? Stages, progress, metrics, memory, checkpoints, and what is really in effect."""
