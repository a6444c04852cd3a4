"""Logs of programs that went well, or that only warn: whatever words they use, nothing is told of a failure."""

from __future__ import annotations

import pytest

from lightning_tui.diagnosis import Evidence, OutputTail, diagnose
from tests.diagnosis.test_prefixes import FORMS, PREFIXES, prefixed

START = "GPU available: True (cuda), used: True\nTPU available: False, using: 0 TPU cores\n"
END = "Epoch 0: 100%|██████████| 8/8 [00:05<00:00, 1.4it/s]\n`Trainer.fit` stopped: `max_epochs=1` reached.\n"

CLEAN: dict[str, str] = {
    "a fit": START + END,
    "few batches": START
    + "/env/lib/python3.11/site-packages/lightning/pytorch/loops/fit_loop.py:310: The number of training batches (8) is "
    "smaller than the logging interval Trainer(log_every_n_steps=50). Set a lower value for log_every_n_steps if you want to see logs for the training epoch.\n"
    + END,
    "recompiled": "W0716 01:10:47.676000 5671 torch/_dynamo/convert_frame.py:984] [0/8] torch._dynamo hit config.recompile_limit (8)\n"
    + END,
    "tried again": "Retrying (Retry(total=4)) after connection broken by 'ReadTimeoutError(\"Read timed out.\")': /simple/torch/\nSuccessfully installed torch\n",
    "an overcome exception": START
    + 'Traceback (most recent call last):\n  File "/home/me/a.py", line 3, in warm\n    f()\nRuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB\nfalling back to batch size 4\n'
    + END,
    "ignored in a destructor": END
    + 'Exception ignored in: <function _ConnectionBase.__del__ at 0x7f>\nTraceback (most recent call last):\n  File "/usr/lib/python3.11/multiprocessing/connection.py", line 132, in __del__\nOSError: [Errno 9] Bad file descriptor\n',
    "deprecations": "/env/lib/python3.11/site-packages/torch/cuda/__init__.py:51: FutureWarning: The pynvml package is deprecated. Please install nvidia-ml-py instead.\n"
    + END,
    "setuptools warns": "/env/lib/python3.11/site-packages/lightning_utilities/core/imports.py:14: UserWarning: pkg_resources is deprecated as an API. The pkg_resources package is slated for removal. Refrain from using this package or pin to Setuptools<81.\n"
    + END,
    "tensor cores": "You are using a CUDA device ('NVIDIA A100-SXM4-40GB') that has Tensor Cores. To properly utilize them, you should set `torch.set_float32_matmul_precision('medium' | 'high')`\n"
    + END,
    "TensorFlow": "2026-02-03 10:11:12.345678: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on. You may see slightly different numerical results due to floating-point round-off errors from different computation orders.\n2026-02-03 10:11:12.345678: E external/local_xla/xla/stream_executor/cuda/cuda_fft.cc:477] Unable to register cuFFT factory: Attempting to register factory for plugin cuFFT when one has already been registered\n"
    + END,
    "metrics called errors": "step 10 | train_error: 0.31 | val_error: 0.44 | failed: 0\nstep 20 | train_error: 0.21 | val_error: 0.40 | failed: 0\nTest error: 0.31\n",
    "tests": "============ 12 passed, 2 xfailed, 1 warning in 3.21s ============\ntests/test_errors.py::test_raises_ValueError PASSED\n",
    "W&B": "wandb: Currently logged in as: me. Use `wandb login --relogin` to force relogin\nwandb: Tracking run with wandb version 0.17.0\nwandb: 🚀 View run at https://wandb.ai/me/x/runs/1\n"
    + END,
    "NCCL speaks": "node1:4711:4711 [0] NCCL INFO Bootstrap : Using eth0:10.0.0.4<0>\nnode1:4711:4711 [0] NCCL INFO NET/Plugin: No plugin found (libnccl-net.so), using internal implementation\nnode1:4711:4711 [0] NCCL INFO cudaDriverVersion 12040\n"
    + END,
    "Slurm": "srun: job 4711 queued and waiting for resources\nsrun: job 4711 has been allocated resources\n" + END,
    "checkpoints": "Restoring states from the checkpoint path at /w/last.ckpt\nRestored all states from the checkpoint at /w/last.ckpt\n"
    + END,
    "early stop": "Monitored metric val_loss did not improve in the last 3 records. Best score: 0.301. Signaling Trainer to stop.\n",
    "a sanity check": "Sanity Checking: |          | 0/? [00:00<?, ?it/s]\n" + END,
    "pip": "Requirement already satisfied: torch>=2.0 in /env/lib (from lightning) (2.6.0)\nWARNING: Running pip as the 'root' user can result in broken permissions\n",
    "a report": "              precision    recall  f1-score   support\n\n        cat       0.90      0.90      0.90        10\n    error        0.80      0.90      0.85        10\n",
    "retries of a download": "Downloading: 100%|██████████| 440M/440M [00:09<00:00, 46.1MB/s]\nINFO: retrying after error: Connection reset by peer (attempt 1 of 5)\ndone\n",
    "logged at INFO": "2026-02-03 10:11:12,345 INFO worker: RuntimeError: CUDA out of memory seen in trial 3, trial pruned\n2026-02-03 10:11:13,345 INFO study: best is trial 7\n",
    "records at INFO": '{"level": "INFO", "message": "caught RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB, trying a smaller batch"}\n{"level": "INFO", "message": "done"}\n',
    "Optuna": "[I 2026-02-03 10:11:12,345] Trial 3 pruned. Trial was pruned at iteration 10.\n[I 2026-02-03 10:11:13,345] Trial 4 finished with value: 0.3 and parameters: {'lr': 0.1}. Best is trial 4 with value: 0.3.\n",
    "help": "usage: main.py [-h] [--config CONFIG] {fit,validate,test,predict} ...\n\noptions:\n  -h, --help            Show this help message and exit.\n",
    "a table": "┏━━━┳━━━━━━━┳━━━━━━━━┓\n┃   ┃ Name  ┃ Type   ┃\n┡━━━╇━━━━━━━╇━━━━━━━━┩\n│ 0 │ layer │ Linear │\n└───┴───────┴────────┘\n"
    + END,
    "text that speaks of it": "# Notes\nIf you see `Traceback (most recent call last):` in the log, look at the last line.\n",
}


def categories(text: str) -> list[str]:
    return [told.category for told in diagnose(Evidence(outputs=(OutputTail(text),)))]


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_log_is_silent(name: str) -> None:
    assert categories(CLEAN[name]) == []


@pytest.mark.parametrize("name", CLEAN)
def test_it_is_silent_behind_a_prefix_too(name: str) -> None:
    for prefix in ("torch", "docker compose", "journald", "stern", "an answered mail"):
        assert categories(prefixed(PREFIXES[prefix], CLEAN[name])) == [], prefix
    assert categories(FORMS["Docker's JSON"](CLEAN[name])) == []


WARNED = {
    "optimizer-config": "`LightningModule.configure_optimizers` returned `None`, this fit will run with no optimizer\n",
    "training-step-none-warning": "`training_step` returned `None`. If this was on purpose, ignore this warning...\n",
}


@pytest.mark.parametrize("category", WARNED)
def test_a_warning_alone_is_told(category: str) -> None:
    assert categories(START + WARNED[category] + END)[:1] == [category]


@pytest.mark.parametrize(
    "line",
    [
        "Segmentation fault (core dumped)",
        "Segmentation fault",
        "train.sh: line 3:  4711 Segmentation fault      (core dumped) python train.py",
        "zsh: segmentation fault (core dumped)  python train.py",
        "zsh: segmentation fault  python train.py",
        "[1]    4711 segmentation fault (core dumped)  python train.py",
        "Fatal Python error: Segmentation fault",
        "fish: Job 1, 'python train.py' terminated by signal SIGSEGV (Address boundary error)",
        "/bin/bash: line 1:  4711 Segmentation fault      (core dumped) python train.py",
        "[4711.031] python[4711]: segfault at 0 ip 00007f sp 00007f error 4 in libtorch_cpu.so[7f+1]",
        "srun: error: node07: task 0: Segmentation fault (core dumped)",
    ],
)
def test_an_interpreter_that_dies_without_a_word_of_python(line: str) -> None:
    assert categories(f"{START}Epoch 0:  50%|█████     | 4/8 [00:05<00:05, 1.4it/s]\n{line}\n")[:1] == ["segfault"]
