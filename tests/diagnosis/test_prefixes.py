"""One traceback as every launcher, logger and terminal writes it: always the same diagnosis at the same place."""

from __future__ import annotations

import gzip
import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_tui.diagnosis import Diagnosis, Evidence, OutputTail, diagnose
from lightning_tui.diagnosis.sources import evidence_of_file

TRACEBACK = """\
Traceback (most recent call last):
  File "/home/me/proj/train.py", line 41, in <module>
    trainer.fit(model, datamodule=dm)
  File "/opt/env/lib/python3.11/site-packages/lightning/pytorch/trainer/trainer.py", line 584, in fit
    call._call_and_handle_interrupt(
  File "/opt/env/lib/python3.11/site-packages/lightning/pytorch/trainer/call.py", line 49, in _call_and_handle_interrupt
    return trainer_fn(*args, **kwargs)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/home/me/proj/net.py", line 31, in training_step
    loss = F.cross_entropy(self.net(x), y)
ValueError: Expected input batch_size (8) to match target batch_size (16)."""
BEFORE = "GPU available: False, used: False\nSanity Checking: |          | 0/? [00:00<?, ?it/s]"
AFTER = "Epoch 0:   0%|          | 0/8 [00:00<?, ?it/s]"

Prefix = Callable[[int], str]
PREFIXES: dict[str, Prefix] = {
    "four blanks": lambda n: "    ",
    "a tab": lambda n: "\t",
    "an answered mail": lambda n: "> ",
    "a mail answered twice": lambda n: "> > ",
    "a comment": lambda n: "# ",
    "a gutter": lambda n: "| ",
    "logging, as its cookbook has it": lambda n: (
        f"2026-02-03 10:11:{12 + n // 3},{n * 37 % 1000:03} - trainer - ERROR - "
    ),
    "logging, level first": lambda n: "ERROR:acme.train:",
    "logging, aligned": lambda n: f"[2026-02-03 10:11:{12 + n // 3}] CRITICAL   train.py:{77} | ",
    "Hydra": lambda n: f"[2026-02-03 10:11:{12 + n // 3},{n:03}][__main__][ERROR] - ",
    "loguru": lambda n: f"2026-02-03 10:11:12.{345 + n} | ERROR    | acme.training:run:90 - ",
    "Airflow": lambda n: f"[2026-02-03, 10:11:{10 + n % 50} UTC] {{process_utils.py:190}} INFO - ",
    "Airflow 2.9": lambda n: f"[2026-02-03T10:11:{10 + n % 50}.{n:03}+0000] {{subprocess.py:93}} INFO - ",
    "journald": lambda n: f"Feb 03 10:11:{10 + n % 50} node07 python[4711]: ",
    "journald, iso": lambda n: f"2026-02-03T10:11:{10 + n % 50}+0100 node07 train[4711]: ",
    "Kubernetes, all containers": lambda n: "[pod/train-7f9c5d-x2v4q/trainer] ",
    "stern": lambda n: "train-7f9c5d-x2v4q trainer ",
    "CRI": lambda n: f"2026-02-03T10:11:12.{345678901 + n}Z stderr F ",
    "docker compose": lambda n: "trainer-1  | ",
    "Ray": lambda n: "(RayTrainWorker pid=4711, ip=10.0.0.4) ",
    "Ray's function": lambda n: "(train_fn pid=4711) ",
    "torch": lambda n: "[rank0]: ",
    "torchrun --tee": lambda n: "[default0]:",
    "mpirun": lambda n: "[1,0]<stderr>:",
    "srun --label": lambda n: "0: ",
    "pdsh": lambda n: "node07: ",
    "a rank behind a time": lambda n: f"2026-02-03 10:11:{10 + n % 50} [rank0]: ",
    "a container around torchrun": lambda n: "trainer-1  | [rank0]: ",
    "glog": lambda n: f"E0203 10:11:12.{345678 + n} 4711 driver.cc:190] ",
    "kernel time": lambda n: f"[ {1234.5 + n:.6f}] app: ",
    "ts": lambda n: f"Feb 03 10:11:{10 + n % 50} ",
    "line numbers": lambda n: f"{n + 97:6}\t",
    "grep -n": lambda n: f"train.log:{n + 97}:",
    "CloudWatch": lambda n: f"2026/02/03/[$LATEST]0a1b2c3d {1770113472000 + n}\t",
    "SageMaker": lambda n: "algo-1-x2v4q | ",
    "GitHub Actions": lambda n: f"train\tUNKNOWN STEP\t2026-02-03T10:11:12.{3456789 + n}Z ",
    "GitLab, elapsed": lambda n: f"00:{n:02} ",
    "syslog": lambda n: f"<11>Feb  3 10:11:{10 + n % 50} node07 train[4711]: ",
}


def prefixed(prefix: Prefix, text: str) -> str:
    return "\n".join((prefix(n) + line).rstrip() for n, line in enumerate(text.split("\n")))


def first(text: str) -> Diagnosis:
    found = diagnose(Evidence(outputs=(OutputTail(text),)))
    assert found, "nothing was told"
    return found[0]


def is_right(told: Diagnosis) -> bool:
    place = told.where is not None and (told.where.path, told.where.line) == ("/home/me/proj/net.py", 31)
    return (told.category, place) == ("shape-mismatch", True) and "batch_size (8)" in told.evidence.text


@pytest.mark.parametrize("name", PREFIXES)
def test_a_constant_prefix_is_learnt(name: str) -> None:
    told = first(prefixed(PREFIXES[name], f"{BEFORE}\n{TRACEBACK}\n{AFTER}"))
    assert is_right(told)
    assert told.evidence.line == 13
    assert told.where is not None
    assert told.where.code == "loss = F.cross_entropy(self.net(x), y)"


@pytest.mark.parametrize("name", PREFIXES)
def test_a_cut_beginning_is_enough(name: str) -> None:
    text = "\n".join(TRACEBACK.split("\n")[2:])
    if any(letter.isalnum() for letter in PREFIXES[name](0)):
        assert is_right(first(prefixed(PREFIXES[name], text)))


@pytest.mark.parametrize("name", [name for name in PREFIXES if "mail" not in name and "gutter" not in name])
def test_a_chain_and_an_original_are_read_behind_a_prefix(name: str) -> None:
    inner = TRACEBACK.replace("Traceback", "Original Traceback", 1)
    outer = "\n".join(TRACEBACK.split("\n")[:-1])
    text = f"{outer}\nValueError: Caught ValueError in DataLoader worker process 0.\n{inner}"
    told = first(prefixed(PREFIXES[name], text))
    assert told.where is not None
    assert told.where.line == 31


def test_only_the_header_has_the_prefix_of_its_logger() -> None:
    for prefix in ("2026-02-03 10:11:12,345 - trainer - ERROR - ", "ERROR:root:", "[E] ", "Training failed: "):
        assert is_right(first(f"{BEFORE}\n{prefix}{TRACEBACK}"))


@pytest.mark.parametrize(
    "name", ["docker compose", "Ray", "journald", "pdsh", "torch", "SageMaker", "Kubernetes, all containers"]
)
def test_interleaved_prefixes_are_several_streams(name: str) -> None:
    other = TRACEBACK.replace("net.py", "loader.py").replace(
        "ValueError: Expected input batch_size (8) to match target batch_size (16).", "KeyError: 'labels'"
    )
    mine, theirs = (
        [(PREFIXES[name](n), line) for n, line in enumerate(text.split("\n"))] for text in (TRACEBACK, other)
    )
    marks = {"4711": "4712", "-1": "-2", "node07": "node08", "rank0": "rank1", "x2v4q": "k8w7z"}
    swap = next((old, new) for old, new in marks.items() if old in mine[0][0])
    theirs = [(prefix.replace(*swap), line) for prefix, line in theirs]
    drawn = random.Random(3)
    lines = []
    while mine or theirs:
        source = mine if mine and (not theirs or drawn.random() < 0.5) else theirs
        lines.append("".join(source.pop(0)))
    told = diagnose(Evidence(outputs=(OutputTail("\n".join(lines)),)))
    places = {each.category: each.where.path for each in told if each.where is not None}
    assert places["shape-mismatch"] == "/home/me/proj/net.py"
    assert places["user-exception"] == "/home/me/proj/loader.py"


def docker(text: str) -> str:
    return "\n".join(json.dumps({"log": line + "\n", "stream": "stderr", "time": "2026"}) for line in text.split("\n"))


def one_record(text: str) -> str:
    return json.dumps({"asctime": "2026", "levelname": "ERROR", "message": "training failed", "exc_info": text})


def a_line_a_record(text: str) -> str:
    return "\n".join(
        json.dumps({"severity": "INFO", "textPayload": line, "insertId": "1"}) for line in text.split("\n")
    )


def in_one_message(text: str) -> str:
    return json.dumps({"text": f"boom\n{text}\n", "record": {"level": {"name": "ERROR"}}})


def escaped(text: str) -> str:
    return f"task failed: {text!r}"


def as_bytes(text: str) -> str:
    return f"stderr={text.encode()!r}"


def wrapped(width: int) -> Callable[[str], str]:
    def cut(text: str) -> str:
        lines = (line or " " for line in text.split("\n"))
        return "\n".join(line[at : at + width] for line in lines for at in range(0, len(line), width))

    return cut


def copied(width: int) -> Callable[[str], str]:
    """As tmux copies: blanks at the edge are lost."""
    return lambda text: "\n".join(line.rstrip() for line in wrapped(width)(text).split("\n"))


def in_a_box(text: str) -> str:
    """As rich draws it."""
    places = [("/home/me/proj/train.py", 41, "<module>", "trainer.fit(model)")]
    places += [
        ("/opt/env/lib/python3.11/site-packages/lightning/pytorch/trainer/trainer.py", 584, "fit", "call._call(")
    ]
    places += [("/home/me/proj/net.py", 31, "training_step", "loss = F.cross_entropy(self.net(x), y)")]
    lines = []
    for path, line, function, code in places:
        whole = f"{path}:{line} in {function}"
        lines += [whole[at : at + 76] for at in range(0, len(whole), 76)]
        lines += ["", f"{line - 1:5} │   pass", f"❱ {line:3} │   {code}", f"{line + 1:5} │   pass", ""]
    box = ["╭" + " Traceback (most recent call last) ".center(78, "─") + "╮"]
    box += [f"│ {line:76} │" for line in lines] + ["╰" + "─" * 78 + "╯"]
    return "\n".join([*box, text.split("\n")[-1]])


def of_loguru(text: str) -> str:
    marked = text.replace('  File "/home/me/proj/train.py"', '> File "/home/me/proj/train.py"')
    values = "    |           |        └ <function f at 0x7f33>\n"
    spaced = marked.replace("\n  File", f"\n{values}\n  File").replace("\n> File", f"\n{values}\n> File")
    return f"2026-02-03 10:11:12.345 | ERROR    | acme:run:90 - it failed\n{spaced}"


def of_pytest(text: str) -> str:
    return f"""
____________________ test_fit ____________________

    def test_fit():
>       trainer.fit(model)

tests/test_fit.py:12:
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _
/opt/env/lib/python3.11/site-packages/lightning/pytorch/trainer/trainer.py:584: in fit
    call._call_and_handle_interrupt(
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _

self = Net()
batch_idx = 0

    def training_step(self, batch, batch_idx):
>       loss = F.cross_entropy(self.net(x), y)
E       {text.split(chr(10))[-1]}

/home/me/proj/net.py:31: ValueError
=========================== short test summary info ============================
FAILED tests/test_fit.py::test_fit - ValueError: Expected input batch_size (8...
"""


FORMS: dict[str, Callable[[str], str]] = {
    "Docker's JSON": docker,
    "python-json-logger": one_record,
    "Google Cloud": a_line_a_record,
    "loguru's records": in_one_message,
    "escaped": escaped,
    "bytes": as_bytes,
    "rich": in_a_box,
    "loguru": of_loguru,
    "pytest": of_pytest,
    "80 columns": wrapped(80),
    "72 columns": wrapped(72),
    "100 columns": wrapped(100),
    "copied from 80 columns": copied(80),
    "copied from 93 columns": copied(93),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_printers_form_is_undone(form: str) -> None:
    assert is_right(first(FORMS[form](TRACEBACK)))


@pytest.mark.parametrize("form", ["Docker's JSON", "80 columns", "copied from 93 columns"])
@pytest.mark.parametrize("name", ["torch", "docker compose", "journald", "logging, as its cookbook has it"])
def test_a_form_around_a_prefix_is_undone(form: str, name: str) -> None:
    assert is_right(first(FORMS[form](prefixed(PREFIXES[name], TRACEBACK))))


def test_a_compressed_file_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "train.log.gz"
    path.write_bytes(gzip.compress((("step\n" * 400_000) + TRACEBACK).encode()))
    told = diagnose(evidence_of_file(path))[0]
    assert is_right(told)
    assert told.evidence.line == 400_011
    path.write_bytes(gzip.compress(TRACEBACK.encode())[:-12])
    assert is_right(diagnose(evidence_of_file(path))[0])


HOSTILE = {
    "headers": "x: Traceback (most recent call last):\n" * 26_000,
    "prefixes that differ": "".join(
        f"{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n // 676 % 26)}: Traceback (most recent call last):\n"
        for n in range(25_000)
    ),
    "digits": (
        "1.1" * 60
        + ": Traceback (most recent call last):\n"
        + "1.1" * 60
        + ':   File "a", line 1\n'
        + "1.1" * 60
        + "\n"
    )
    * 1500,
    "boxes": "╭── Traceback (most recent call last) ──╮\n" + "│ /a │\n" * 90_000,
    "records": ('{"log": "' + "x" * 200 + '"}\n') * 4500,
    "deep records": ('{"log":' * 2000 + "}" * 2000 + "\n") * 60,
    "E": "E   x\n" * 160_000,
    "frames": '  File "a", line 1, in f\n' * 40_000,
    "cut frames": ('  File "' + "a" * 72 + "\n") * 12_000,
    "one line": "Traceback (most recent call last):\\n" * 28_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_megabyte_takes_its_time_but_not_more(kind: str) -> None:
    text = HOSTILE[kind]
    began = time.process_time()
    diagnose(Evidence(outputs=(OutputTail(text[: 1 << 20]),)))
    assert time.process_time() - began < 4
