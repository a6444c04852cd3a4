"""The program behind `--lightning-cli`: LightningCLI without classes of its own; the config names model and data."""

from __future__ import annotations


def main() -> None:
    """Run LightningCLI on `sys.argv`, with whichever Lightning is installed."""
    try:
        from lightning.pytorch.cli import LightningCLI
    except ModuleNotFoundError:
        from pytorch_lightning.cli import LightningCLI
    LightningCLI()


if __name__ == "__main__":
    main()
