"""Written for Lightning 1.x."""

from lightning.pytorch import Trainer

trainer = Trainer(gpus=1, max_epochs=1)  # here
