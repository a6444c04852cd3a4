"""A small residual convolutional net with batch norm, for images of 32 x 32."""

import torch
from torch import nn
from torch.nn import functional as F
from training import Learner, train

CLASSES = 100


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride) if stride > 1 or inputs != outputs else nn.Identity()

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x))


class ConvNet(Learner):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 3, padding=1)
        self.stages = nn.Sequential(
            Residual(64, 64, 1), Residual(64, 128, 2), Residual(128, 256, 2), Residual(256, 512, 2)
        )
        self.head = nn.Linear(512, CLASSES)

    def training_step(self, batch, batch_idx):
        images, labels = batch
        features = self.stages(self.stem(images)).mean(dim=(2, 3))
        loss = F.cross_entropy(self.head(features), labels)
        self.log("train_loss", loss)
        return loss


def sample():
    return torch.randn(3, 32, 32), torch.randint(CLASSES, ())


if __name__ == "__main__":
    train(ConvNet, sample)
