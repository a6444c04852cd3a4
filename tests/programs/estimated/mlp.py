"""A multilayer perceptron: most of its memory is parameters, gradients and optimizer state."""

import torch
from torch import nn
from torch.nn import functional as F
from training import Learner, train

WIDTH, CLASSES = 1024, 100


class MLP(Learner):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(784, WIDTH),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(WIDTH, WIDTH),
            nn.GELU(),
            nn.Linear(WIDTH, WIDTH),
            nn.ReLU(),
            nn.Linear(WIDTH, CLASSES),
        )

    def training_step(self, batch, batch_idx):
        x, labels = batch
        loss = F.cross_entropy(self.layers(x), labels)
        self.log("train_loss", loss)
        return loss


def sample():
    return torch.randn(784), torch.randint(CLASSES, ())


if __name__ == "__main__":
    train(MLP, sample)
