"""NumPy's float64 meets a model of float32."""

import numpy
import torch

model = torch.nn.Linear(8, 2)
features = torch.from_numpy(numpy.zeros((4, 8)))
model(features)  # here
