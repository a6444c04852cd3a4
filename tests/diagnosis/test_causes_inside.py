"""Causes that another exception wraps or hides, captures of several lines, and keys that a configuration may not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_tui.diagnosis import Diagnosis, Evidence, OutputTail, diagnose

USAGE = """\
usage: cli.py [options] fit [-c CONFIG] [--seed_everything SEED_EVERYTHING]
                            [--trainer.max_epochs MAX_EPOCHS]
                            [--trainer.max_steps MAX_STEPS]
                            [--model.width WIDTH] [--model.rate RATE]
tip: For details of accepted options run: cli.py fit --help
"""


def first(text: str) -> Diagnosis:
    return diagnose(Evidence(outputs=(OutputTail(text),)))[0]


def hydra(inside: str, target: str = "lightning.pytorch.trainer.trainer.Trainer") -> str:
    return (
        f"Error executing job with overrides: []\nError in call to target '{target}':\n{inside}\nfull_key: trainer\n\n"
        "Set the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace.\n"
    )


@pytest.mark.parametrize(
    ("category", "inside"),
    [
        ("no-gpu-available", "MisconfigurationException('No supported gpu backend found!')"),
        (
            "no-gpu-available",
            'MisconfigurationException("`CUDAAccelerator` can not run on your system since the accelerator is not available.'
            " The following accelerator(s) is available and can be passed into `accelerator` argument of `Trainer`: ['cpu'].\")",
        ),
        ("trainer-removed-arg", "TypeError(\"Trainer.__init__() got an unexpected keyword argument 'gpus'\")"),
        (
            "invalid-trainer-flag",
            "ValueError(\"You selected an invalid strategy name: `strategy='dpp'`. It must be either a string or an instance of\")",
        ),
        ("hydra-config", "TypeError(\"Net.__init__() got an unexpected keyword argument 'widht'\")"),
        ("checkpoint-not-found", "FileNotFoundError('Checkpoint file not found: /w/last.ckpt')"),
        ("user-exception", "ValueError('depth must be even,\\ngot 3')"),
        ("user-exception", "KeyError('labels')"),
    ],
)
def test_what_hydra_hides_is_the_cause(category: str, inside: str) -> None:
    target = "net.Net" if "Net." in inside else "lightning.pytorch.trainer.trainer.Trainer"
    told = first(hydra(inside, target))
    assert told.category == category
    full = f"hydra.errors.InstantiationException: {hydra(inside, target).split(chr(10), 1)[1]}"
    assert first(full).category == category


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        (
            'error: Parser key "trainer.max_epochs":\n  Does not validate against any of the Union subtypes\n'
            "  Subtypes: [<class 'int'>, <class 'NoneType'>]\n  Errors:\n    - Expected a <class 'int'>\n"
            "    - Expected a <class 'NoneType'>\n  Given value type: <class 'str'>\n  Given value: one",
            ("trainer.max_epochs", "Expected a <class 'int'>", "given: one"),
        ),
        (
            "error: Parser key \"model.width\":\n  Expected a <class 'int'>. Got value: wide",
            ("model.width", "Got value: wide"),
        ),
        (
            'error: Problems parsing config: while parsing a flow mapping\n  in "<unicode string>", line 1, column 10\n'
            "did not find expected ',' or '}'\n  in \"<unicode string>\", line 2, column 1",
            ("Problems parsing config", "line 1, column 10", "did not find expected"),
        ),
        ("error: Subcommand 'fit' does not accept option 'model.class_path'", ("model.class_path",)),
        ("error: Parser key \"config\": File does not exist: '/w/nofile.yaml'", ("/w/nofile.yaml",)),
    ],
)
def test_a_command_lines_error_is_quoted_with_its_details(error: str, parts: tuple[str, ...]) -> None:
    told = first(USAGE + error)
    assert told.category == "cli-config"
    for part in parts:
        assert part in told.cause
    assert "tip:" not in told.cause
    assert told.evidence.text.startswith("error: ")


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ("seed_everything: 1\ntrainer:\n  accelerator: cpu\n  max_epoch: 3\n", "4"),
        ("model: {width: 3}\ntrainer: {max_epoch: 3}\n", "2"),
        ("trainer.max_epoch: 3\n", "1"),
    ],
)
def test_a_rejected_key_is_found_in_the_programs_own_file(tmp_path: Path, config: str, line: str) -> None:
    (tmp_path / "conf.yaml").write_text(config)
    for command in (("main.py", "fit", "--config", "conf.yaml"), ("main.py", "fit", "--config=conf.yaml")):
        text = f"{USAGE}error: Subcommand 'fit' does not accept option 'trainer.max_epoch'"
        evidence = Evidence(outputs=(OutputTail(text),), command=command, folder=str(tmp_path))
        told = diagnose(evidence)[0].suggestions[0].text
        assert told == f"In conf.yaml, line {line}: Write `trainer.max_epochs` instead of `trainer.max_epoch`."


def test_a_place_that_is_not_known_is_not_spoken_of() -> None:
    told = first("main.py: error: unrecognized arguments: --qqq 3")
    assert told.category == "cli-config"
    texts = [told.title, told.cause, *(suggestion.text for suggestion in told.suggestions)]
    assert all(text and not set("{}…") & set(text) for text in texts)


REMOTE = '''\
{type}:
"""
Traceback (most recent call last):
  File "/env/lib/python3.11/site-packages/{module}", line 463, in _process_worker
    r = call_item()
  File "/home/me/proj/sweep.py", line 12, in train
    return table["width"]
KeyError: 'width'
"""

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/home/me/proj/sweep.py", line 30, in <module>
    Parallel(n_jobs=2)(delayed(train)(n) for n in range(4))
  File "/env/lib/python3.11/site-packages/{module}", line 763, in get_result
    raise self._result
KeyError: 'width'
'''


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("joblib.externals.loky.process_executor._RemoteTraceback", "joblib/externals/loky/process_executor.py"),
        ("concurrent.futures.process._RemoteTraceback", "x/process.py"),
        ("multiprocessing.pool.RemoteTraceback", "x/pool.py"),
    ],
)
def test_a_remote_traceback_names_the_line_in_the_worker(name: str, module: str) -> None:
    for inner, category in (
        ("KeyError: 'width'", "user-exception"),
        ("RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB", "cuda-oom"),
    ):
        told = first(
            REMOTE.replace("{type}:", f"{name}: ").replace("{module}", module).replace("KeyError: 'width'", inner)
        )
        assert told.category == category
        assert told.where is not None
        assert (told.where.path, told.where.line) == ("/home/me/proj/sweep.py", 12)
        assert '"""' not in told.cause


def test_rays_task_error_names_the_task() -> None:
    told = first(
        "Traceback (most recent call last):\n"
        '  File "/home/me/proj/tune.py", line 30, in <module>\n    ray.get(train.remote())\n'
        '  File "/env/lib/python3.11/site-packages/ray/_private/worker.py", line 2753, in get\n    raise value\n'
        "ray.exceptions.RayTaskError(RuntimeError): \x1b[36mray::train()\x1b[39m (pid=4711, ip=10.0.0.4)\n"
        '  File "/home/me/proj/tune.py", line 12, in train\n    net(x)\n'
        "RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x10 and 12x4)"
    )
    assert told.category == "shape-mismatch"
    assert told.where is not None
    assert told.where.line == 12


def test_an_exception_group_is_opened() -> None:
    told = first(
        "  + Exception Group Traceback (most recent call last):\n"
        '  |   File "/home/me/proj/train.py", line 9, in <module>\n  |     asyncio.run(main())\n'
        "  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)\n"
        "  +-+---------------- 1 ----------------\n"
        "    | Traceback (most recent call last):\n"
        '    |   File "/home/me/proj/train.py", line 5, in fetch\n    |     net(x)\n'
        "    | RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x10 and 12x4)\n"
        "    +------------------------------------\n"
    )
    assert told.category == "shape-mismatch"
    assert told.where is not None
    assert told.where.line == 5


def test_the_numbers_of_a_later_line_are_filled_in() -> None:
    told = first(
        "torch.distributed.DistNetworkError: The server socket has failed to listen on any local network address.\n"
        "RuntimeError: The server socket has failed to bind to [::]:29517 (errno: 98 - Address already in use)."
    )
    assert told.category == "address-in-use"
    assert "29517" in told.cause
