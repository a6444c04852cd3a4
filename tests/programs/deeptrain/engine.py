"""Where the Trainer is built, deep inside the library; Lightning is imported late, as libraries like to do."""

import hashlib


def learn(out, epochs):
    import torch
    from lightning import pytorch as pl
    from torch.utils.data import DataLoader, TensorDataset

    from deeptrain.model import Inner

    pl.seed_everything(2, verbose=False)
    model = Inner()
    options = {"max_epochs": epochs, "accelerator": "cpu", "devices": 1, "enable_checkpointing": False}
    trainer = _trainer(pl, {**options, "logger": False, "enable_progress_bar": True})
    trainer.fit(model, DataLoader(TensorDataset(torch.randn(60, 3)), batch_size=3))
    if trainer.is_global_zero:
        weights = b"".join(tensor.detach().numpy().tobytes() for tensor in model.state_dict().values())
        with open(out, "w") as file:
            file.write(hashlib.sha256(weights).hexdigest())
    print("the end of deeptrain")


def _trainer(pl, options):
    return pl.Trainer(**options)
