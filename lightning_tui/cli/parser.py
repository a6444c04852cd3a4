"""What can be typed: the argument parser. It imports nothing slow, so that `--help` and `--version` answer at once."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from lightning_tui import __version__

PLAN_FLAGS: dict[str, str] = {
    "strategy": "ddp, fsdp, ddp_spawn, ...",
    "precision": "32-true, bf16-mixed, 16-mixed, ...",
    "accelerator": "auto, cpu, gpu",
    "devices": "how many, -1 or auto for all, or a list such as 0,2",
    "num-nodes": "number of machines",
    "max-epochs": "end after so many epochs",
    "max-steps": "end after so many optimizer steps",
    "max-time": "end after DD:HH:MM:SS",
    "accumulate-grad-batches": "batches per optimizer step",
    "gradient-clip-val": "clip gradients at this norm",
    "val-check-interval": "validate every share of an epoch, or every N batches",
    "limit-train-batches": "share or number of training batches",
    "limit-val-batches": "share or number of validation batches",
    "log-every-n-steps": "log interval",
    "default-root-dir": "where checkpoints and logs go",
    "ckpt-path": "checkpoint to resume from",
}
"""The plan's own flags, named as the Trainer names them."""


def parse(argv: list[str]) -> argparse.Namespace:
    """Parse a command line; everything after the first `--` is the program's and lands untouched in `program`.

    Raises:
        SystemExit: with code 2 on wrong usage, 0 after `--help` or `--version`.
    """
    ours, program = _split(argv)
    arguments = build_parser().parse_args(ours)
    arguments.program = program
    arguments.command = arguments.command or "cockpit"
    return arguments


def _split(argv: Sequence[str]) -> tuple[list[str], list[str] | None]:
    if "--" not in argv:
        return list(argv), None
    at = list(argv).index("--")
    return list(argv[:at]), list(argv[at + 1 :])


class _Parser(argparse.ArgumentParser):
    """Tells the many who leave out the `--` where a program goes."""

    def error(self, message: str) -> NoReturn:
        if message.startswith(("unrecognized arguments", "argument COMMAND")):
            message += ". A program goes after --, with its own options: lightning-tui run -- train.py --lr 3e-4"
        super().error(message)


def build_parser() -> argparse.ArgumentParser:
    """The whole grammar."""
    parser: argparse.ArgumentParser = _Parser(
        prog="lightning-tui",
        usage="lightning-tui [COMMAND] [OPTIONS] [-- PROGRAM [ARGS...]]",
        description="The terminal cockpit for PyTorch Lightning. Without a command it opens the cockpit.",
        epilog="PROGRAM is what you would type after `python`: train.py --lr 3e-4 · -m pkg.train · an installed "
        "command · --config config.yaml (LightningCLI) · demo. The training outlives the screen.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"lightning-tui {__version__}")
    _add_common(parser)
    _add_interpreter(parser)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", prog=parser.prog)
    _add_starting(commands)
    _add_watching(commands)
    _add_steering(commands)
    return parser


Commands = argparse._SubParsersAction  # argparse names this type with an underscore only


def _add_starting(commands: Commands[argparse.ArgumentParser]) -> None:
    demo = _command(commands, "demo", "open the cockpit and start the built-in example")
    demo.add_argument("--size", choices=["tiny", "small", "gpt2"], help="model size (default: tiny)")
    _add_interpreter(demo)
    run = _command(commands, "run", "start without a screen, follow its output, exit with its outcome")
    run.add_argument("--detach", action="store_true", help="start, print the run's id and return")
    run.add_argument("--json", action="store_true", help="one event a line instead of the output")
    _add_interpreter(run)
    _add_plan(run)


def _add_watching(commands: Commands[argparse.ArgumentParser]) -> None:
    attach = _command(commands, "attach", "open the cockpit on a run (default: the newest active one, else the newest)")
    attach.add_argument("run", nargs="?", metavar="RUN")
    runs = _command(commands, "runs", "list runs, newest first")
    runs.add_argument("--json", action="store_true")
    show = _command(commands, "show", "state, plan, progress, metrics, ranks and end of a run")
    show.add_argument("run", metavar="RUN")
    show.add_argument("--json", action="store_true")
    logs = _command(commands, "logs", "the raw output of a run")
    logs.add_argument("run", metavar="RUN")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the run ends")
    logs.add_argument("--rank", type=int, default=0, metavar="N", help="whose output (default: 0)")
    doctor = _command(commands, "doctor", "what this machine is, with evidence, and what is wrong with it")
    doctor.add_argument("--json", action="store_true")
    _add_interpreter(doctor)


def _add_steering(commands: Commands[argparse.ArgumentParser]) -> None:
    stop = _command(commands, "stop", "finish the step, save a checkpoint, end; harder if it does not answer")
    stop.add_argument("run", metavar="RUN")
    stop.add_argument("--after", choices=["batch", "epoch"], default="batch", help="end after this (default: batch)")
    kill = _command(commands, "kill", "end every process of the run at once; nothing is saved")
    kill.add_argument("run", metavar="RUN")
    checkpoint = _command(commands, "checkpoint", "save a checkpoint now and train on")
    checkpoint.add_argument("run", metavar="RUN")
    remove = _command(commands, "rm", "delete finished runs with all their files")
    remove.add_argument("runs", nargs="+", metavar="RUN")
    remove.add_argument("--yes", action="store_true", help="do not ask")


def _command(commands: Commands[argparse.ArgumentParser], name: str, what: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".", allow_abbrev=False)
    _add_common(parser)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    # SUPPRESS: an option of the command must not reset the same option given before the command.
    parser.add_argument("--home", type=Path, default=argparse.SUPPRESS, metavar="PATH", help="where runs live")


def _add_interpreter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--python",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="PATH",
        help="interpreter of the program (default: the active virtual environment's, else our own)",
    )


def _add_plan(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("plan", "overrides of the Trainer's arguments; not given = as the script says")
    for name, what in PLAN_FLAGS.items():
        group.add_argument(f"--{name}", metavar="VALUE", help=what)
    group.add_argument("--preset", metavar="NAME", help="a named plan to begin with")
    group.add_argument("--plan", type=Path, metavar="FILE.toml", help="a plan file; flags win over it")
    group.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="any plan field")
