"""The head expects more features than the body gives."""

import torch

body, head = torch.nn.Linear(8, 32), torch.nn.Linear(64, 10)


def forward(images):
    return head(body(images))  # here


forward(torch.randn(4, 8))
