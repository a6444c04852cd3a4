"""A language model of two LSTM layers."""

import torch
from torch import nn
from torch.nn import functional as F
from training import Learner, train

VOCABULARY, WIDTH, LENGTH = 4096, 384, 32


class LSTM(Learner):
    def __init__(self):
        super().__init__()
        self.token = nn.Embedding(VOCABULARY, WIDTH)
        self.memory = nn.LSTM(WIDTH, WIDTH, num_layers=2, batch_first=True)
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def training_step(self, batch, batch_idx):
        tokens, following = batch
        states, _ = self.memory(self.token(tokens))
        loss = F.cross_entropy(self.head(states).flatten(0, 1), following.flatten())
        self.log("train_loss", loss)
        return loss


def sample():
    tokens = torch.randint(VOCABULARY, (LENGTH + 1,))
    return tokens[:-1], tokens[1:]


if __name__ == "__main__":
    train(LSTM, sample)
