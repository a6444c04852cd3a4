"""A token that the embedding does not have."""

import torch

words = torch.nn.Embedding(100, 8)
words(torch.tensor([1, 7, 100]))  # here
