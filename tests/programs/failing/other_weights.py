"""Loads the weights of a smaller model."""

import torch


def model(width):
    return torch.nn.Sequential(torch.nn.Linear(4, width), torch.nn.Linear(width, 1))


torch.save(model(8).state_dict(), "weights.pt")
larger = model(16)
larger.load_state_dict(torch.load("weights.pt", weights_only=True))  # here
