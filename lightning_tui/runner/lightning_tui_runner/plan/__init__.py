"""What does a plan change in the program? Arguments of its Trainer, strategy, checkpoints, data loaders, model."""
