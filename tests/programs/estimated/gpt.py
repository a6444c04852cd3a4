"""A GPT: embeddings, blocks of attention and MLP, and a large vocabulary."""

import torch
from torch import nn
from torch.nn import functional as F
from training import Learner, train

VOCABULARY, WIDTH, HEADS, LAYERS, LENGTH = 4096, 256, 4, 4, 128


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.query_key_value = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(
            nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
        )

    def forward(self, x):
        batch, length, _ = x.shape
        heads = self.query_key_value(self.norm(x)).view(batch, length, 3, HEADS, WIDTH // HEADS)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        attention = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.out(attention.transpose(1, 2).reshape(batch, length, WIDTH))
        return x + self.mlp(x)


class GPT(Learner):
    def __init__(self):
        super().__init__()
        self.token = nn.Embedding(VOCABULARY, WIDTH)
        self.position = nn.Embedding(LENGTH, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)

    def training_step(self, batch, batch_idx):
        tokens, following = batch
        x = self.token(tokens) + self.position(torch.arange(LENGTH))
        loss = F.cross_entropy(self.head(self.blocks(x)).flatten(0, 1), following.flatten())
        self.log("train_loss", loss)
        return loss


def sample():
    tokens = torch.randint(VOCABULARY, (LENGTH + 1,))
    return tokens[:-1], tokens[1:]


if __name__ == "__main__":
    train(GPT, sample)
