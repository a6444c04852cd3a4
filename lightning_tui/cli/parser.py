"""What can be typed: the argument parser. It imports nothing slow, so that `--help` and `--version` answer at once."""

from __future__ import annotations

import argparse
import contextlib
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from lightning_tui import __version__
from lightning_tui.plan.fields import FIELD_TEXTS, FLAGS

EXPORT_FORMS = ("command", "python", "yaml")
_COCKPIT = "opening:cockpit"
_GIVEN_ONCE: dict[str, Any] = {"default": argparse.SUPPRESS}
"""An option of the command must not reset the same option given before the command."""
_SHARED: dict[str, dict[str, Any]] = {
    "run": {"metavar": "RUN"},
    "--home": {**_GIVEN_ONCE, "type": Path, "metavar": "PATH", "help": "the runs home: the folder that holds all runs"},
    "--python": {
        **_GIVEN_ONCE,
        "type": Path,
        "metavar": "PATH",
        "help": "Python for the program (default: the active virtual environment's, else that of lightning-tui)",
    },
    "--ascii": {
        **_GIVEN_ONCE,
        "action": "store_true",
        "help": "draw with ASCII characters only, like LIGHTNING_TUI_ASCII=1",
    },
    "--readonly": {
        **_GIVEN_ONCE,
        "action": "store_true",
        "help": "watch only: no key starts, controls or deletes anything",
    },
    "--json": {"action": "store_true"},
    "--yes": {"action": "store_true", "help": "do not ask"},
}
"""What several commands take, said once."""


def parse(argv: list[str]) -> argparse.Namespace:
    """Parse a command line; everything after the first `--` is the program's and lands untouched in `program`.

    Raises:
        SystemExit: with code 2 on wrong usage, 0 after `--help` or `--version`.
    """
    ours, program = _split(argv)
    if not ours:  # to build the whole grammar for nothing would hold up the first frame
        return argparse.Namespace(command=None, function=_COCKPIT, program=program)
    arguments = build_parser().parse_args(ours)
    arguments.program = program
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
    parser: argparse.ArgumentParser = _Parser(
        prog="lightning-tui",
        usage="lightning-tui [COMMAND] [OPTIONS] [-- PROGRAM [ARGS...]]",
        description="The terminal cockpit for PyTorch Lightning. Without a command it opens the cockpit.",
        epilog="PROGRAM is what you would type after `python`: train.py --lr 3e-4 · -m pkg.train · an installed "
        "command · --config config.yaml (LightningCLI) · demo. Training continues after the cockpit closes.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"lightning-tui {__version__}")
    parser.set_defaults(function=_COCKPIT)
    _add(parser, "--home", "--python", "--ascii", "--readonly")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", prog=parser.prog)
    _add_starting(commands)
    _add_planning(commands)
    _add_trying(commands)
    _add_watching(commands)
    _add_steering(commands)
    return parser


Commands = argparse._SubParsersAction  # argparse names this type with an underscore only


def _add_starting(commands: Commands[argparse.ArgumentParser]) -> None:
    demo = _command(commands, "demo", "opening:demo", "open the cockpit and start the built-in example")
    demo.add_argument("--size", choices=["tiny", "small", "gpt2"], help="model size (default: tiny)")
    _add(demo, "--python", "--ascii")
    run = _command(
        commands, "run", "starting:run", "start a run without the cockpit, follow it, and exit with its result"
    )
    run.add_argument("--detach", action="store_true", help="start, print the run's id and return")
    run.add_argument("--json", action="store_true", help="one JSON event per line instead of the output")
    _add_restarts(run)
    _add(run, "--python")
    _add_plan(run)
    _add_relaunch(commands)


def _add_restarts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-restarts",
        type=_whole_or_none,
        metavar="N",
        help="restart from the last complete checkpoint if that may help (a killed worker, a lost connection), at "
        "most N times without progress (default: 0, or max_restarts in the settings)",
    )


def _whole_or_none(text: str) -> int:
    return 0 if text == "0" else _whole(text)


def _add_relaunch(commands: Commands[argparse.ArgumentParser]) -> None:
    relaunch = _command(
        commands, "relaunch", "relaunching:relaunch", "start a run again, with changes, from its last checkpoint", "run"
    )
    relaunch.add_argument(
        "--fix", nargs="?", type=_whole, const=0, metavar="N", help="with what diagnose suggests (default: the best)"
    )
    relaunch.add_argument(
        "--ckpt",
        metavar="PATH|last|none",
        help="resume from this checkpoint; none: from the beginning (default: last, if there is one)",
    )
    relaunch.add_argument("--yes", action="store_true", help="trust the file that the fix lets run code of its own")
    _add_restarts(relaunch)
    relaunch.add_argument("--beside", action="store_true", help="even if the run is still active")
    relaunch.add_argument("--detach", action="store_true", help="start, print the new run's id and return")
    relaunch.add_argument("--json", action="store_true", help="one JSON event per line instead of the output")
    _add_plan(relaunch)
    relaunch.usage = f"{relaunch.prog} RUN [OPTIONS] [PLAN] [-- PROGRAM [ARGS...]]"


def _add_planning(commands: Commands[argparse.ArgumentParser]) -> None:
    plan = _command(commands, "plan", "planning:plan", "show what suits this machine, what cannot work, and why")
    plan.add_argument("--json", action="store_true", help="JSON instead of lines")
    plan.add_argument("--probe", action="store_true", help="run the program up to its first step to measure it")
    _add(plan, "--python")
    _add_plan(plan)
    export = _command(
        commands, "export", "planning:export", "write a plan as a command, Python code or a LightningCLI config"
    )
    export.add_argument("run", nargs="?", metavar="RUN", help="the run whose plan and program are written")
    export.add_argument("--plan", type=Path, metavar="FILE.toml", help="a plan file; its program goes after --")
    export.add_argument("--as", dest="form", type=_export_form, required=True, metavar="|".join(EXPORT_FORMS))
    _add(export, "--python")


def _add_trying(commands: Commands[argparse.ArgumentParser]) -> None:
    """Commands that run the program up to `fit`."""
    tune = _command(commands, "tune", "tuning:tune", "find a batch size or a learning rate before the training")
    searches = tune.add_subparsers(dest="what", metavar="lr|batch-size", required=True)
    size = _command(searches, "batch-size", "tuning:tune", "find the largest batch that fits on one device")
    size.add_argument(
        "--mode",
        choices=["power", "binsearch"],
        default="power",
        help="power: double until it does not fit; binsearch: then search between the last two (default: power)",
    )
    size.add_argument("--max-trials", type=_whole, metavar="N", help="most sizes to try (default: 25, on a CPU 10)")
    rate = _command(searches, "lr", "tuning:tune", "plot the loss over the learning rate, and suggest one")
    rate.add_argument("--min", type=float, default=1e-8, metavar="RATE", help="lowest rate (default: 1e-8)")
    rate.add_argument("--max", type=float, default=1.0, metavar="RATE", help="highest rate (default: 1)")
    rate.add_argument("--num-steps", type=_whole, default=100, metavar="N", help="number of steps (default: 100)")
    estimate = _command(commands, "estimate", "estimating:estimate", "estimate GPU memory by strategy and precision")
    estimate.add_argument(
        "--gpu-memory", type=_memory, metavar="SIZE", help="memory of each GPU, such as 24GiB (default: this machine's)"
    )
    estimate.add_argument("--fresh", action="store_true", help="measure again, even if a measurement exists")
    for search in (size, rate, estimate):
        search.add_argument("--json", action="store_true", help="JSON instead of lines")
        search.add_argument(
            "--time-limit", type=_whole, default=1800, metavar="SECONDS", help="stop after this time (default: 1800)"
        )
        _add(search, "--python")
        _add_plan(search)


def _memory(text: str) -> int:
    """Bytes of `24GiB`, `80GB`, `24` (GiB)."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(Gi?B?|Mi?B?|Ti?B?|)", text.strip(), re.IGNORECASE)
    if match is None or float(match[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size. Allowed: sizes such as 24GiB, 80GB or 24 (GiB).")
    unit = match[2].lower() or "gib"
    power = "mgt".index(unit[0]) + 2
    return int(float(match[1]) * (1000**power if unit.endswith("b") and "i" not in unit else 1024**power))


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not valid. Allowed: a whole number above 0.")
    return int(text)


def _export_form(text: str) -> str:
    if text == "sbatch":
        raise argparse.ArgumentTypeError(f"sbatch is not supported yet. Allowed: {', '.join(EXPORT_FORMS)}.")
    if text not in EXPORT_FORMS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a form of a plan. Allowed: {', '.join(EXPORT_FORMS)}.")
    return text


def _add_watching(commands: Commands[argparse.ArgumentParser]) -> None:
    attach = _command(commands, "attach", "opening:attach", "open the cockpit on a run (default: the newest active)")
    attach.add_argument("run", nargs="?", metavar="RUN")
    _add(attach, "--ascii", "--readonly")
    _command(commands, "runs", "runs:runs", "list runs, newest first", "--json")
    _add_keeping(commands)
    show = _command(
        commands, "show", "watching:show", "show state, plan, progress, metrics, ranks and end of a run", "run"
    )
    forms = show.add_mutually_exclusive_group()
    _add(forms, "--json")
    forms.add_argument("--metrics", choices=["csv", "json"], help="print every logged value instead")
    logs = _command(commands, "logs", "logs:logs", "print the output of a run", "run")
    logs.add_argument("-f", "--follow", action="store_true", help="follow until the run ends")
    logs.add_argument(
        "--rank", type=_rank, default=0, metavar="N|all", help="output of this rank; all: merged by time (default: 0)"
    )
    logs.add_argument(
        "--grep", metavar="REGEX", help="only matching lines; case is ignored unless REGEX has a capital letter"
    )
    logs.add_argument("--since", metavar="TIME", help="12:31, 2026-05-01 12:31, or how long ago: 90s, 10m, 2h, 1d")
    diagnose = _command(
        commands,
        "diagnose",
        "diagnosing:diagnose",
        "explain an error text, an output file or a run",
    )
    diagnose.add_argument(
        "what", nargs="?", metavar="FILE|-|RUN", help="default: stdin if it is a pipe, else the newest run"
    )
    told = diagnose.add_mutually_exclusive_group()
    _add(told, "--json")
    told.add_argument(
        "--report", action="store_true", help="print the report of a run: error, suggestion, context, traceback"
    )
    what = "show what this machine is, and problems with it"
    _command(commands, "doctor", "watching:doctor", what, "--json", "--python")


def _add_keeping(commands: Commands[argparse.ArgumentParser]) -> None:
    """What one does with many runs."""
    compare = _command(commands, "compare", "runs:compare", "compare two runs: plan, metrics, time", "--json")
    compare.add_argument("first", metavar="RUN")
    compare.add_argument("second", metavar="RUN")
    for word, what in (("name", "give a run a name, which commands then accept"), ("note", "write a note about a run")):
        telling = _command(commands, word, f"runs:{word}", what, "run")
        telling.add_argument("text", nargs="?", metavar="TEXT", help="omit to print it; empty text deletes it")
    what = "delete ended runs by age, number or size"
    prune = _command(commands, "prune", "runs:prune", what, "--yes")
    which = prune.add_mutually_exclusive_group(required=True)
    which.add_argument("--older-than", type=_age, metavar="AGE", help="runs that ended longer ago: 30d, 12h, 8w")
    which.add_argument(
        "--keep-size", type=_memory, metavar="SIZE", help="the oldest, until the others need at most this"
    )
    which.add_argument("--keep", type=_whole, metavar="N", help="all but the newest N")
    prune.add_argument("--dry-run", action="store_true", help="list what would be deleted, and delete nothing")


def _age(text: str) -> float:
    """Seconds of `30d`, `12h`."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([mhdw])", text.strip())
    if match is None or float(match[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not an age. Allowed: 90m, 12h, 30d and 8w.")
    return float(match[1]) * {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}[match[2]]


def _rank(text: str) -> int | str:
    if text != "all" and not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a rank. Allowed: 0 or more, or all.")
    return text if text == "all" else int(text)


def _add_steering(commands: Commands[argparse.ArgumentParser]) -> None:
    what = "stop a run: finish the batch, save a checkpoint, end; harder if it does not answer"
    stop = _command(commands, "stop", "steering:stop", what, "run")
    stop.add_argument(
        "--after", choices=["batch", "epoch", "validation"], default="batch", help="stop after this (default: batch)"
    )
    for name, what in (("--patience", "to save and end, before SIGTERM"), ("--term-patience", "after SIGTERM")):
        stop.add_argument(name, type=_seconds, metavar="SECONDS", help=f"time {what} (default: as started)")
    _command(commands, "adopt", "steering:adopt", "start a new supervisor for a run whose supervisor has died", "run")
    kill = _command(commands, "kill", "steering:kill", "kill every process of a run at once; nothing is saved", "run")
    _add_answer(stop, kill, *_add_telling(commands))
    remove = _command(commands, "rm", "runs:remove", "delete ended runs with all their files", "--yes")
    remove.add_argument("runs", nargs="+", metavar="RUN")


def _add_telling(commands: Commands[argparse.ArgumentParser]) -> list[argparse.ArgumentParser]:
    """What a training can be told while it goes on; all its ranks do it at the same batch."""
    texts = {
        "pause": "pause training on all ranks",
        "resume": "resume a paused training",
        "checkpoint": "save a checkpoint now and continue",
        "validate": "validate now, then continue",
        "set-lr": "change the learning rate",
        "log-level": "set the log level of Lightning and the root logger",
    }
    parsers = {name: _command(commands, name, "steering:tell", what, "run") for name, what in texts.items()}
    parsers["set-lr"].add_argument("value", type=_learning_rate, metavar="VALUE")
    parsers["set-lr"].add_argument(
        "--group", type=_group, metavar="N", help="only this parameter group, counted from 0 (default: all)"
    )
    parsers["log-level"].add_argument("level", choices=["debug", "info", "warning", "error"])
    return list(parsers.values())


def _add_answer(*parsers: argparse.ArgumentParser) -> None:
    for parser in parsers:
        parser.add_argument("--no-wait", action="store_true", help="do not wait until it is done")
        parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def _seconds(text: str) -> float:
    return _above_0(text, " is not a time. Allowed: a number of seconds above 0.")


def _learning_rate(text: str) -> float:
    return _above_0(text, " is not a learning rate. Allowed: a number above 0, such as 3e-4.")


def _above_0(text: str, otherwise: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r}{otherwise}")


def _group(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a group number. Allowed: 0 or more.")
    return int(text)


def _command(
    commands: Commands[argparse.ArgumentParser], name: str, function: str, what: str, *shared: str
) -> argparse.ArgumentParser:
    """A command with these shared arguments; `function` is the module of `cli` and the function in it, imported when it
    is carried out."""
    parser = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".", allow_abbrev=False)
    parser.set_defaults(function=function)
    _add(parser, "--home", *shared)
    return parser


def _add(parser: argparse._ActionsContainer, *shared: str) -> None:
    for name in shared:
        parser.add_argument(name, **_SHARED[name])


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.usage = f"{parser.prog} [OPTIONS] [PLAN] -- PROGRAM [ARGS...]"
    group = parser.add_argument_group(
        "plan", "override arguments of the Trainer; what is not given stays as the script says"
    )
    for name in FLAGS:
        what = FIELD_TEXTS[name].help
        help_text = (what[0].lower() + what[1:]).replace("%", "%%")
        group.add_argument(f"--{name.replace('_', '-')}", metavar="VALUE", help=help_text)
    group.add_argument("--preset", metavar="NAME", help="a preset to begin with, such as recommended")
    group.add_argument("--plan", type=Path, metavar="FILE.toml", help="a plan file, which overrides the preset")
    group.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="any field of a plan; overrides the file"
    )
