"""What can be typed: the argument parser. It imports nothing slow, so that `--help` and `--version` answer at once."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from lightning_tui import __version__
from lightning_tui.plan.fields import FIELD_TEXTS, FLAGS

EXPORT_FORMS = ("command", "python", "yaml")


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
    _add_planning(commands)
    _add_trying(commands)
    _add_watching(commands)
    _add_steering(commands)
    return parser


Commands = argparse._SubParsersAction  # argparse names this type with an underscore only


def _add_starting(commands: Commands[argparse.ArgumentParser]) -> None:
    demo = _command(commands, "demo", "open the cockpit and start the built-in example")
    demo.add_argument("--size", choices=["tiny", "small", "gpt2"], help="model size (default: tiny)")
    _add_interpreter(demo)
    run = _command(commands, "run", "start without a screen, follow it, exit with its outcome")
    run.add_argument("--detach", action="store_true", help="start, print the run's id and return")
    run.add_argument("--json", action="store_true", help="one event a line instead of the output")
    _add_interpreter(run)
    _add_plan(run)


def _add_planning(commands: Commands[argparse.ArgumentParser]) -> None:
    plan = _command(commands, "plan", "what suits this machine, what cannot work here, and why")
    plan.add_argument("--json", action="store_true", help="JSON instead of lines")
    plan.add_argument("--probe", action="store_true", help="run the program up to its first step to learn its size")
    _add_interpreter(plan)
    _add_plan(plan)
    export = _command(commands, "export", "a plan as a command, as Python code or a LightningCLI config")
    export.add_argument("run", nargs="?", metavar="RUN", help="whose plan and program")
    export.add_argument("--plan", type=Path, metavar="FILE.toml", help="a plan file; its program goes after --")
    export.add_argument("--as", dest="form", type=_export_form, required=True, metavar="|".join(EXPORT_FORMS))
    _add_interpreter(export)


def _add_trying(commands: Commands[argparse.ArgumentParser]) -> None:
    """Commands that run the program up to `fit`."""
    tune = _command(commands, "tune", "find a batch size or a learning rate before the training")
    searches = tune.add_subparsers(dest="what", metavar="lr|batch-size", required=True)
    size = _command(searches, "batch-size", "find the largest batch that fits on one device")
    size.add_argument(
        "--mode",
        choices=["power", "binsearch"],
        default="power",
        help="double it until it does not fit, or look between the last two as well (default: power)",
    )
    size.add_argument("--max-trials", type=_whole, metavar="N", help="sizes to try (default: 25, on a CPU 10)")
    rate = _command(searches, "lr", "draw the loss over the learning rate, and suggest one")
    rate.add_argument("--min", type=float, default=1e-8, metavar="RATE", help="begin here (default: 1e-8)")
    rate.add_argument("--max", type=float, default=1.0, metavar="RATE", help="end here (default: 1)")
    rate.add_argument("--num-steps", type=_whole, default=100, metavar="N", help="steps between them (default: 100)")
    estimate = _command(commands, "estimate", "GPU memory by strategy and precision, before the training")
    estimate.add_argument(
        "--gpu-memory", type=_memory, metavar="SIZE", help="of each GPU, 24GiB for example (default: this machine's)"
    )
    estimate.add_argument("--fresh", action="store_true", help="measure again what was measured before")
    for search in (size, rate, estimate):
        search.add_argument("--json", action="store_true", help="JSON instead of lines")
        search.add_argument(
            "--time-limit", type=_whole, default=1800, metavar="SECONDS", help="give up after so long (default: 1800)"
        )
        _add_interpreter(search)
        _add_plan(search)


def _memory(text: str) -> int:
    """Bytes of `24GiB`, `80GB`, `24` (GiB)."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(Gi?B?|Mi?B?|Ti?B?|)", text.strip(), re.IGNORECASE)
    if match is None or float(match[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no size. Allowed are sizes such as 24GiB, 80GB or 24 (GiB).")
    unit = match[2].lower() or "gib"
    power = "mgt".index(unit[0]) + 2
    return int(float(match[1]) * (1000**power if unit.endswith("b") and "i" not in unit else 1024**power))


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r}: allowed is a whole number above 0.")
    return int(text)


def _export_form(text: str) -> str:
    if text == "sbatch":
        raise argparse.ArgumentTypeError(f"sbatch is not there yet. Allowed are {', '.join(EXPORT_FORMS)}.")
    if text not in EXPORT_FORMS:
        raise argparse.ArgumentTypeError(f"{text!r} is no form of a plan. Allowed are {', '.join(EXPORT_FORMS)}.")
    return text


def _add_watching(commands: Commands[argparse.ArgumentParser]) -> None:
    attach = _command(commands, "attach", "open the cockpit on a run (default: the newest active)")
    attach.add_argument("run", nargs="?", metavar="RUN")
    runs = _command(commands, "runs", "list runs, newest first")
    runs.add_argument("--json", action="store_true")
    show = _command(commands, "show", "state, plan, progress, metrics, ranks and end of a run")
    show.add_argument("run", metavar="RUN")
    forms = show.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true")
    forms.add_argument("--metrics", choices=["csv", "json"], help="every logged value, as a table, instead")
    logs = _command(commands, "logs", "the raw output of a run")
    logs.add_argument("run", metavar="RUN")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the run ends")
    logs.add_argument("--rank", type=_rank, default=0, metavar="N|all", help="whose output; all: by time (default: 0)")
    logs.add_argument("--grep", metavar="REGEX", help="only lines that match; small letters find capitals too")
    logs.add_argument("--since", metavar="TIME", help="12:31, 2026-05-01 12:31, or how long ago: 90s, 10m, 2h, 1d")
    diagnose = _command(commands, "diagnose", "explain an error text, a file of output or a run: what, why, what to do")
    diagnose.add_argument("what", nargs="?", metavar="FILE|-|RUN", help="default: the pipe, else the newest run")
    told = diagnose.add_mutually_exclusive_group()
    told.add_argument("--json", action="store_true")
    told.add_argument("--report", action="store_true", help="of a run: error, suggestion, context and full traceback")
    doctor = _command(commands, "doctor", "what this machine is, and what is wrong with it")
    doctor.add_argument("--json", action="store_true")
    _add_interpreter(doctor)


def _rank(text: str) -> int | str:
    if text != "all" and not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no rank. Allowed are a number from 0 on, and all.")
    return text if text == "all" else int(text)


def _add_steering(commands: Commands[argparse.ArgumentParser]) -> None:
    stop = _command(commands, "stop", "finish the step, save, end; harder where it does not answer")
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
    parser.usage = f"{parser.prog} [OPTIONS] [PLAN] -- PROGRAM [ARGS...]"
    group = parser.add_argument_group("plan", "overrides of the Trainer's arguments; not given = as the script says")
    for name in FLAGS:
        what = FIELD_TEXTS[name].help
        help_text = (what[0].lower() + what[1:]).replace("%", "%%")
        group.add_argument(f"--{name.replace('_', '-')}", metavar="VALUE", help=help_text)
    group.add_argument("--preset", metavar="NAME", help="a named plan to begin with, such as recommended")
    group.add_argument("--plan", type=Path, metavar="FILE.toml", help="a plan file, which wins over the preset")
    group.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="any field of a plan; wins over the file"
    )
