"""From evidence to diagnoses: the root among many, messy texts, telemetry, exit codes, and silence where all is well."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_tui.diagnosis import Conduct, Diagnosis, Evidence, OutputTail, ReportedException, apply, diagnose
from lightning_tui.diagnosis.model import CodeHint, Suggestion
from lightning_tui.plan import Plan
from lightning_tui.record import GpuSample, HostSample

GIB = 1 << 30

USER_ERROR = """\
Traceback (most recent call last):
  File "/home/me/proj/train.py", line 40, in <module>
    trainer.fit(model)
  File "/x/lib/python3.11/site-packages/lightning/pytorch/trainer/trainer.py", line 560, in fit
    self._run(model)
  File "/home/me/proj/model.py", line 12, in training_step
    return self.table[batch]
  File "/x/lib/python3.11/site-packages/torch/nn/modules/module.py", line 3, in __getattr__
    raise AttributeError(name)
AttributeError: 'Net' object has no attribute 'table'"""

PEER_GONE = """\
Traceback (most recent call last):
  File "/home/me/proj/train.py", line 40, in <module>
    trainer.fit(model)
RuntimeError: [../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:20172"""

TORCHRUN_END = """\
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
============================================================
train.py FAILED
------------------------------------------------------------
Root Cause (first observed failure):
[0]:
  rank      : 1 (local_rank: 1)
  exitcode  : 1 (pid: 7929)
============================================================"""


def told(text: str) -> tuple[Diagnosis, ...]:
    return diagnose(Evidence(outputs=(OutputTail(text),)))


def categories(text: str) -> list[str]:
    return [diagnosis.category for diagnosis in told(text)]


def prefixed(prefix: str, text: str) -> str:
    return "\n".join(prefix + line for line in text.split("\n"))


def shuffled_together(first: str, second: str) -> str:
    """Two ranks' lines, in turns, as they come when both write to one pipe."""
    one, two = first.split("\n"), second.split("\n")
    longest = max(len(one), len(two))
    pairs = zip(one + [""] * (longest - len(one)), two + [""] * (longest - len(two)), strict=True)
    return "\n".join(line for pair in pairs for line in pair if line)


# ---------------------------------------------------------------------------------------------- the root among many


def test_an_unknown_exception_is_told_by_the_programs_own_frame() -> None:
    found = told(USER_ERROR)
    assert [each.category for each in found] == ["user-exception"]
    assert found[0].where is not None
    assert (found[0].where.path, found[0].where.line) == ("/home/me/proj/model.py", 12)
    assert found[0].where.code == "return self.table[batch]"
    assert found[0].evidence.line == 10
    assert "AttributeError" in found[0].title
    assert "'Net' object has no attribute 'table'" in found[0].cause


def test_a_lost_peer_that_speaks_first_is_not_the_root() -> None:
    text = "\n".join([prefixed("[rank0]: ", PEER_GONE), prefixed("[rank1]: ", USER_ERROR), TORCHRUN_END])
    found = told(text)
    assert [each.category for each in found] == ["user-exception", "gloo-connection-closed", "child-failed"]
    assert found[0].rank == 1
    assert [each.consequence for each in found] == [False, True, True]


@pytest.mark.parametrize(
    "prefixes",
    [("[rank0]: ", "[rank1]: "), ("[default0]:", "[default1]:"), ("0: ", "1: "), ("[1,0]<stderr>:", "[1,1]<stderr>:")],
)
def test_interleaved_ranks_are_told_apart(prefixes: tuple[str, str]) -> None:
    text = shuffled_together(prefixed(prefixes[0], PEER_GONE), prefixed(prefixes[1], USER_ERROR))
    found = told(text)
    assert found[0].category == "user-exception"
    assert found[0].rank == 1
    assert found[0].where is not None
    assert found[0].where.path.endswith("model.py")


@pytest.mark.parametrize(
    "prefix",
    [
        "node-3: ",
        "2025-03-04T05:06:07.123456Z stderr F ",
        "2025-03-04 05:06:07,123 ",
        "(train pid=4711, ip=10.0.0.3) ",
        "\x1b[31m",
    ],
)
def test_prefixes_of_launchers_and_loggers_do_not_hide_a_traceback(prefix: str) -> None:
    found = told(prefixed(prefix, USER_ERROR))
    assert [each.category for each in found] == ["user-exception"]
    assert found[0].where is not None
    assert found[0].where.line == 12


def test_a_traceback_behind_a_progress_bar_without_line_end() -> None:
    bar = "Epoch 0:   0%|          | 0/8 [00:00<?, ?it/s]"
    assert categories(f"{bar}\r{bar}{USER_ERROR}\n{bar}") == ["user-exception"]


def test_a_cut_beginning_leaves_enough() -> None:
    assert categories("\n".join(USER_ERROR.split("\n")[5:])) == ["user-exception"]
    assert categories("ValueError: something nobody knows") == ["user-exception"]


def test_a_worker_carries_the_datasets_exception() -> None:
    text = """\
Traceback (most recent call last):
  File "/home/me/train.py", line 3, in <module>
    trainer.fit(model)
  File "/x/site-packages/torch/_utils.py", line 694, in reraise
    raise exception
ValueError: Caught ValueError in DataLoader worker process 3.
Original Traceback (most recent call last):
  File "/x/site-packages/torch/utils/data/_utils/worker.py", line 308, in _worker_loop
    data = fetcher.fetch(index)
  File "/home/me/data.py", line 71, in __getitem__
    raise ValueError("image 17 is empty")
ValueError: image 17 is empty
"""
    found = told(text)
    assert [each.category for each in found] == ["dataset-exception"]
    assert found[0].where is not None
    assert (found[0].where.path, found[0].where.line) == ("/home/me/data.py", 71)
    assert "image 17 is empty" in found[0].cause


def test_a_known_cause_inside_a_worker_beats_the_wrapper() -> None:
    text = """\
RuntimeError: Caught OSError in DataLoader worker process 0.
Original Traceback (most recent call last):
  File "/home/me/data.py", line 71, in __getitem__
    return open(path)
OSError: [Errno 24] Too many open files: '/data/7.png'
"""
    assert categories(text)[0] == "too-many-open-files"


def test_a_chain_is_one_failure_and_its_known_part_names_it() -> None:
    text = f"""\
Traceback (most recent call last):
  File "/home/me/io.py", line 3, in save
    f.write(data)
OSError: [Errno 28] No space left on device

During handling of the above exception, another exception occurred:

{USER_ERROR}
"""
    assert categories(text) == ["disk-full"]


def test_exception_groups_are_opened() -> None:
    text = """\
  + Exception Group Traceback (most recent call last):
  |   File "/home/me/train.py", line 9, in <module>
  |     run()
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/home/me/train.py", line 5, in work
    |     torch.ones(3) @ torch.ones(4)
    | RuntimeError: mat1 and mat2 shapes cannot be multiplied (1x3 and 4x1)
    +------------------------------------
"""
    assert categories(text) == ["shape-mismatch"]


def test_the_drivers_warning_beats_what_follows_from_it() -> None:
    text = """\
/x/torch/cuda/__init__.py:1: UserWarning: CUDA initialization: The NVIDIA driver on your system is too old (found version 11040).
Traceback (most recent call last):
  File "/home/me/train.py", line 3, in <module>
    t = L.Trainer(accelerator="gpu")
lightning.fabric.utilities.exceptions.MisconfigurationException: No supported gpu backend found!
"""
    found = told(text)
    assert [each.category for each in found] == ["driver-too-old", "no-gpu-available"]
    assert "11040" in found[0].cause
    assert found[0].evidence.line == 1


def test_a_time_limit_beats_the_sigterm_that_it_sends() -> None:
    text = "slurmstepd: error: *** JOB 5 ON n1 CANCELLED AT 2025-01-01T00:00:00 DUE TO TIME LIMIT ***\n[rank: 0] Received SIGTERM: 15"
    assert categories(text) == ["slurm-time-limit", "sigterm"]


# ------------------------------------------------------------------------------------- telemetry, exit codes, conduct


def raised(**fields: object) -> ReportedException:
    return ReportedException(**{"type": "ValueError", "message": "boom", "traceback": USER_ERROR, "rank": 0, **fields})  # type: ignore[arg-type]


def test_telemetry_alone_is_enough_and_the_output_adds_the_line() -> None:
    event = raised(type="AttributeError", message="'Net' object has no attribute 'table'", hook="train")
    alone = diagnose(Evidence(exceptions=(event,)))
    both = diagnose(Evidence(exceptions=(event,), outputs=(OutputTail("hello\n" + USER_ERROR),)))
    assert [each.category for each in alone] == [each.category for each in both] == ["user-exception"]
    assert alone[0].evidence.line is None
    assert both[0].evidence.line == 11
    assert alone[0].where == both[0].where is not None


def test_of_two_ranks_the_first_in_time_is_the_root() -> None:
    first = raised(type="KeyError", message="'a'", rank=1, time=10.0)
    second = raised(type="ZeroDivisionError", message="division by zero", rank=0, time=11.0)
    found = diagnose(Evidence(exceptions=(second, first)))
    assert (found[0].rank, found[0].title) == (1, "The program raised KeyError")


@pytest.mark.parametrize(
    ("code", "signal", "category"),
    [
        (139, None, "segfault"),
        (-11, None, "segfault"),
        (None, "SIGABRT", "abort"),
        (132, None, "illegal-instruction"),
        (137, None, "worker-sigkill"),
        (143, None, "sigterm"),
        (129, None, "sighup"),
    ],
)
def test_exit_codes_speak_where_nothing_else_does(code: int | None, signal: str | None, category: str) -> None:
    assert [each.category for each in diagnose(Evidence(exit_code=code, signal=signal))] == [category]


def test_a_sigkill_with_full_memory_is_the_kernels() -> None:
    host = HostSample(memory_used=63 * GIB, memory_total=64 * GIB)
    found = diagnose(Evidence(signal="SIGKILL", host=host, actual={"num_workers": 8}))
    assert found[0].category == "host-oom-killed"
    assert "63" in found[0].cause
    assert found[0].suggestions[0].changes == {"num_workers": 4}


def test_an_end_on_request_is_no_failure() -> None:
    assert diagnose(Evidence(signal="SIGTERM", conduct=Conduct(ended_on_request=True))) == ()
    text = (OutputTail("[rank: 0] Received SIGTERM: 15\n" + PEER_GONE),)
    assert diagnose(Evidence(outputs=text, conduct=Conduct(ended_on_request=True))) == ()


def test_what_a_finished_run_overcame_is_no_failure() -> None:
    assert diagnose(Evidence(outputs=(OutputTail(USER_ERROR),), conduct=Conduct(finished=True))) == ()
    assert categories(USER_ERROR + "\n`Trainer.fit` stopped: `max_epochs=2` reached.") == []


@pytest.mark.parametrize(
    ("conduct", "category"),
    [
        (Conduct(left_early=(1,)), "rank-exited-early"),
        (Conduct(program_exit=3), "program-exit"),
        (Conduct(silent_s=900.0, step_time_s=0.5), "stall"),
        (Conduct(host_growth=(GIB, 9 * GIB)), "memory-growth"),
        (Conduct(device_growth=(GIB, 9 * GIB)), "memory-growth"),
        (Conduct(nan_metrics=("train_loss",)), "nan-loss"),
        (Conduct(vanished=(2,)), "worker-sigkill"),
    ],
)
def test_the_record_of_a_run_speaks_without_text(conduct: Conduct, category: str) -> None:
    assert diagnose(Evidence(conduct=conduct))[0].category == category


def test_growth_that_the_program_prints_is_a_warning_and_a_plateau_is_not() -> None:
    grows = "\n".join(f"step {step} loss 0.1 rss={1 + step * 0.2:.1f} GB" for step in range(40))
    levels = "\n".join(f"step {step} loss 0.1 rss={min(4, 1 + step * 0.9):.1f} GB" for step in range(40))
    found = told(grows)
    assert [(each.category, each.severity) for each in found] == [("memory-growth", "warning")]
    assert categories(levels) == []
    assert categories(grows + "\nbash: line 1:  1088 Killed                  python train.py")[0] == "host-oom-killed"


# --------------------------------------------------------------------------------------------- suggestions and plans

OOM = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.64 GiB of which 1.07 GiB is free."


def test_half_the_batch_and_twice_the_accumulation_keep_the_effective_batch() -> None:
    evidence = Evidence(
        outputs=(OutputTail(OOM),),
        batch_size=32,
        actual={"accumulate_grad_batches": 3, "precision": "32-true", "strategy": "ddp"},
        world_size=4,
        gpus=(GpuSample(index=0, compute_capability="7.5"),),
    )
    found = diagnose(evidence)[0]
    changes = [each.changes for each in found.suggestions if each.changes]
    assert changes == [
        {"batch_size": 16, "accumulate_grad_batches": 6},
        {"precision": "16-mixed"},
        {"strategy": "fsdp"},
    ]
    assert "2.00 GiB" in found.cause
    assert "23.64 GiB" in found.cause
    plan = apply(Plan(max_epochs=3, precision="32-true"), found.suggestions[1])
    assert (plan.precision, plan.max_epochs) == ("16-mixed", 3)


def test_what_is_so_already_is_not_suggested_as_a_change() -> None:
    evidence = Evidence(
        outputs=(OutputTail(OOM),), plan={"precision": "bf16-mixed", "strategy": "fsdp", "batch_size": 1}, world_size=2
    )
    found = diagnose(evidence)[0].suggestions
    assert found
    assert all(each.changes is None for each in found)
    assert not any("mixed precision" in each.text or "Shard" in each.text for each in found)


def test_of_the_numbers_of_a_full_gpu_those_that_are_known_are_told() -> None:
    words = "RuntimeError: CUDA out of memory. Tried to allocate 20.00 MiB on GPU 2"
    assert told(words)[0].cause.startswith("PyTorch wanted 20.00 MiB more on GPU 2. Weights, gradients")
    assert told("torch.AcceleratorError: CUDA error: out of memory")[0].cause.startswith("Weights, gradients")


def test_a_native_crash_is_told_with_the_programs_own_frame() -> None:
    text = """\
Fatal Python error: Segmentation fault

Thread 0x00007f01 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 324 in wait
  File "/home/me/elsewhere.py", line 3 in watch

Current thread 0x00007f02 (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at
  File "/home/me/decoder.py", line 8 in read
  File "/home/me/train.py", line 30 in <module>

Extension modules: numpy._core._multiarray_umath (total: 1)"""
    (found,) = told(text)
    assert found.category == "segfault"
    assert found.where == CodeHint("/home/me/decoder.py", 8, "read")
    assert "Python was in ctypes/__init__.py:519, string_at." in found.cause
    assert told("Fatal Python error: Segmentation fault")[0].where is None


def test_a_suggestion_without_changes_leaves_the_plan() -> None:
    plan = Plan(devices=2)
    assert apply(plan, Suggestion(text="look")) is plan


def test_to_trust_a_file_is_marked() -> None:
    text = "_pickle.UnpicklingError: Weights only load failed. GLOBAL pathlib.PosixPath was not an allowed global by default."
    marked = [each.trust for each in told(text)[0].suggestions]
    assert marked.count(True) == 1
    assert "pathlib.PosixPath" in told(text)[0].cause


# ------------------------------------------------------------------------------------------------------ nothing wrong

CHATTER = [
    "Epoch 3: 100%|██| 64/64 [00:09<00:00, 6.9it/s, v_num=0, val_error=0.31, train_loss=0.02, rmse_error=1.2]",
    "ValidationError: 0.2314\nMeanSquaredError: 1.2e-3\nerror: 0.5\nErrors: 0",
    "node1:99:99 [0] NCCL INFO Bootstrap : Using eth0:10.0.0.1<0>\nnode1:99:99 [0] NCCL INFO NET/IB : No device found.",
    "[W ProcessGroupNCCL.cpp:4115] [rank0] using GPU 0 to perform barrier as devices used by this process are currently unknown.",
    'Exception ignored in: <function _MultiProcessingDataLoaderIter.__del__ at 0x7f>\nTraceback (most recent call last):\n  File "/x/site-packages/torch/utils/data/dataloader.py", line 1, in __del__\n    self._shutdown_workers()\nAssertionError: can only test a child process',
    "You defined a `validation_step` but have no `val_dataloader`. Skipping val loop.",
    "2025-01-01 00:00:00.0: W tensorflow/stream_executor/platform/default/dso_loader.cc:64] Could not load dynamic library 'libcudart.so.11.0'; dlerror: libcudart.so.11.0: cannot open shared object file: No such file or directory",
    "E external/local_xla/xla/stream_executor/cuda/cuda_driver.cc:152] failed call to cuInit: INTERNAL: CUDA error: Failed call to cuInit: no CUDA-capable device is detected",
    "huggingface/tokenizers: The current process just got forked, after parallelism has already been used.",
    "Some weights of BertModel were not initialized from the model checkpoint at m and are newly initialized: ['pooler.bias']",
    "/x/site-packages/torchvision/io/image.py:13: UserWarning: Failed to load image Python extension: 'image.so: undefined symbol: _ZN5torch3jit17parseSchemaOrNameE'If you don't plan on using image functionality from `torchvision.io`, you can ignore this warning.",
    "usage: train.py [-h] [--oom-retries N]\n\n  --oom-retries N  how often to go on after CUDA out of memory\n  --nccl-timeout S  seconds before the NCCL watchdog aborts; SIGTERM, SIGSEGV and exit code 137 are handled",
    "EarlyStopping: terminated after 5 epochs without improvement. Killed 0 trials. 3 out of 10 runs aborted early.",
    "INFO:root:retrying after error 803 records; no space left between paragraphs",
    "`Trainer.fit` stopped: `max_epochs=1` reached.\nwandb: Run summary:\nwandb: train_loss 0.3\nwandb: Synced 5 W&B file(s)",
    "No checkpoint found at ./last.ckpt, training from scratch. Permission to reuse granted.",
    "Trainer already configured with model summary callbacks: [<class 'RichModelSummary'>]. Skipping setting a default `ModelSummary` callback.",
    "[2025-01-01 00:00:00,0] [INFO] [config.py:1000:print] DeepSpeedEngine configuration: dump_state False, memory_breakdown False, error None",
]


@pytest.mark.parametrize("text", CHATTER)
def test_benign_lines_are_no_failure(text: str) -> None:
    assert categories(text) == []


def test_all_chatter_together_is_no_failure() -> None:
    assert categories("\n".join(CHATTER)) == []


WORDS = [
    "the",
    "model",
    "train",
    "error",
    "loss",
    "validation",
    "killed",
    "memory",
    "timeout",
    "rank",
    "failed",
    "not",
    "found",
    "worker",
    "signal",
    "step",
    "epoch",
    "data",
    "device",
    "out",
    "of",
    "cuda",
    "gpu",
    "connection",
    "closed",
    "abort",
    "warning",
    "retry",
    "exceeded",
    "limit",
    "disk",
    "full",
    "permission",
    "checkpoint",
    "key",
    "missing",
    "shape",
    "nan",
    "metric",
    "accuracy",
]


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_random_english_with_alarming_words_is_no_failure(seed: int) -> None:
    rng = random.Random(seed)
    lines = [" ".join(rng.choice(WORDS) for _ in range(rng.randrange(1, 12))) for _ in range(40)]
    assert categories("\n".join(line.capitalize() + "." for line in lines)) == []


@given(
    st.text(max_size=400)
    | st.lists(
        st.sampled_from(
            [
                "Traceback (most recent call last):",
                '  File "a.py", line 3, in f',
                "ValueError: x",
                "  + Exception Group Traceback (most recent call last):",
                "  |",
                "\r",
                "[rank1]: ",
                "0: ",
                "Original Traceback (most recent call last):",
                "",
                "During handling of the above exception, another exception occurred:",
                "what():  x",
                "terminate called after throwing an instance of 'c10::Error'",
                "{what}",
                "[[x]]",
                "CUDA out of memory. Tried to allocate {0} [[",
                "Epoch 0: 10%|█",
            ]
        ),
        max_size=30,
    ).map("\n".join)
)
@settings(max_examples=200, deadline=None)
def test_no_text_makes_it_raise(text: str) -> None:
    diagnose(
        Evidence(
            outputs=(OutputTail(text),), exceptions=(ReportedException(type=text[:30], message=text, traceback=text),)
        )
    )


@given(st.binary(max_size=400))
@settings(max_examples=100, deadline=None)
def test_no_bytes_make_it_raise(data: bytes) -> None:
    for text in (data.decode("latin-1"), data.decode("utf-8", errors="replace")):
        assert told(text) == () or "Error" in text


def test_what_is_told_carries_no_control_sequence() -> None:
    findings = told(
        'Traceback (most recent call last):\n  File "a.py", line 1, in f\nValueError: \x07bad\x9b2J \u202etxt'
    )
    assert findings
    for found in findings:
        for text in (found.title, found.cause, found.evidence.text):
            assert all(char.isprintable() for char in text)


def test_what_a_program_says_is_told_in_its_own_words() -> None:
    frame = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n'
    assert "It says: {'lr': [[1]]} {type}" in told(f"{frame}ValueError: {{'lr': [[1]]}} {{type}}")[0].cause
    (found,) = told(f"{frame}ValueError: {'long ' * 100}")
    assert (found.cause[-1], found.evidence.text[-1]) == ("…", "…")


OWN_WORDS = [
    "KeyError: 'rank'",
    "ValueError: unknown optimizer name 'adamx'",
    "RuntimeError: the number of classes in the file and in the config differ",
    "AssertionError: expected 3 folds, got 2",
    "ValueError: token is required to parse the sentence",
    "RuntimeError: sample 17 has no label",
    "TypeError: 'NoneType' object is not subscriptable",
    "ZeroDivisionError: division by zero",
    "IndexError: list index out of range",
    "ValueError: not enough values to unpack (expected 2, got 1)",
    "RuntimeError: metric server said: retry later",
    "Exception: loss plateau reached, giving up",
    "ValueError: could not convert string to float: 'abc'",
    "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
    "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
    "pandas.errors.EmptyDataError: No columns to parse from file",
    "RecursionError: maximum recursion depth exceeded",
]


@pytest.mark.parametrize("last_line", OWN_WORDS)
def test_an_exception_of_the_programs_own_is_never_guessed_at(last_line: str) -> None:
    text = f'Traceback (most recent call last):\n  File "/home/me/run.py", line 4, in work\n    step()\n{last_line}'
    found = told(text)
    assert [each.category for each in found] == ["user-exception"]
    assert found[0].where is not None
    assert found[0].where.code == "step()"
