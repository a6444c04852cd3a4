"""The command `deeptrain`: it knows its own arguments and nothing of a Trainer."""

import argparse

from deeptrain.engine import learn


def main():
    parser = argparse.ArgumentParser(prog="deeptrain")
    commands = parser.add_subparsers(required=True)
    train = commands.add_parser("train")
    train.add_argument("--out", required=True)
    train.add_argument("--epochs", type=int, default=2)
    args = parser.parse_args()
    learn(args.out, args.epochs)
    return 0
