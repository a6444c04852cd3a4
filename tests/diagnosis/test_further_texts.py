"""Texts as they come from the field, written from the messages of PyTorch, Lightning, NCCL and Slurm: not the rules'
own examples. And logs of healthy runs, in which nothing is wrong whatever words they use."""

from __future__ import annotations

import pytest

from lightning_tui.diagnosis import Evidence, OutputTail, diagnose

FAILURES = [
    ("nccl-timeout", """
Epoch 3:  41%|████      | 812/1980 [06:11<08:53,  2.19it/s, v_num=7]
[rank5]:[E1104 03:21:44.118 ProcessGroupNCCL.cpp:685] [Rank 5] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=81233, OpType=ALLREDUCE, NumelIn=26214400, NumelOut=26214400, Timeout(ms)=1800000) ran for 1800054 milliseconds before timing out.
[rank5]:[E1104 03:21:44.119 ProcessGroupNCCL.cpp:2253] [PG ID 0 PG GUID 0(default_pg) Rank 5]  failure detected by watchdog at work sequence id: 81233 PG status: last enqueued work: 81233, last completed work: 81232
[rank5]:[E1104 03:21:45.702 ProcessGroupNCCL.cpp:733] [Rank 5] Some NCCL operations have failed or timed out. Due to the asynchronous nature of CUDA kernels, subsequent GPU operations might run on corrupted/incomplete data.
terminate called after throwing an instance of 'c10::DistBackendError'
  what():  [PG ID 0 PG GUID 0(default_pg) Rank 5] Process group watchdog thread terminated with exception: [Rank 5] Watchdog caught collective operation timeout
"""),
    ("cuda-oom", """
Sanity Checking DataLoader 0:   0%|          | 0/2 [00:00<?, ?it/s]
Traceback (most recent call last):
  File "/home/anna/seg/train.py", line 88, in training_step
    logits = self.unet(batch["image"])
  File "/home/anna/.conda/envs/seg/lib/python3.10/site-packages/torch/nn/modules/conv.py", line 456, in _conv_forward
    return F.conv2d(input, weight, bias, self.stride,
torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB (GPU 3; 39.39 GiB total capacity; 36.90 GiB already allocated; 210.56 MiB free; 37.71 GiB reserved in total by PyTorch) If reserved memory is >> allocated memory try setting max_split_size_mb to avoid fragmentation.
"""),
    ("device-side-assert", """
../aten/src/ATen/native/cuda/Indexing.cu:1289: indexSelectLargeIndex: block: [188,0,0], thread: [64,0,0] Assertion `srcIndex < srcSelectDimSize` failed.
../aten/src/ATen/native/cuda/Indexing.cu:1289: indexSelectLargeIndex: block: [188,0,0], thread: [65,0,0] Assertion `srcIndex < srcSelectDimSize` failed.
Traceback (most recent call last):
  File "finetune.py", line 210, in <module>
    trainer.fit(model, dm)
  File "/opt/conda/lib/python3.11/site-packages/lightning/pytorch/trainer/trainer.py", line 538, in fit
    call._call_and_handle_interrupt(
RuntimeError: CUDA error: device-side assert triggered
CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.
For debugging consider passing CUDA_LAUNCH_BLOCKING=1
"""),
    ("slurm-time-limit", """
Epoch 11: 100%|██████████| 400/400 [12:40<00:00,  0.53it/s]
srun: Job step aborted: Waiting up to 32 seconds for job step to finish.
slurmstepd: error: *** STEP 991204.0 ON gpu-b-017 CANCELLED AT 2025-10-02T23:59:41 DUE TO TIME LIMIT ***
srun: error: gpu-b-017: tasks 0-7: Terminated
"""),
    ("host-oom-killed", """
slurmstepd: error: Detected 3 oom_kill events in StepId=4471.batch. Some of the step tasks have been OOM Killed.
srun: error: r7i2n4: task 2: Out Of Memory
"""),
    ("ddp-unused-parameters", """
[rank2]: Traceback (most recent call last):
[rank2]:   File "/scratch/proj/main.py", line 61, in main
[rank2]:     trainer.fit(model)
[rank2]: RuntimeError: Expected to have finished reduction in the prior iteration before starting a new one. This error indicates that your module has parameters that were not used in producing loss. You can enable unused parameter detection by passing the keyword argument `find_unused_parameters=True` to `torch.nn.parallel.DistributedDataParallel`, and by
[rank2]: making sure all `forward` function outputs participate in calculating loss.
[rank2]: Parameter indices which did not receive grad for rank 2: 112 113
[rank2]: In addition, you can set the environment variable TORCH_DISTRIBUTED_DEBUG to either INFO or DETAIL to print out information about which particular parameters did not receive gradient on this rank as part of this error
W0312 10:11:12.000000 140 torch/distributed/elastic/multiprocessing/api.py:900] Sending process 151 closing signal SIGTERM
"""),
    ("nccl-unhandled-system-error", """
torch.distributed.DistBackendError: NCCL error in: ../torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp:1970, unhandled system error (run with NCCL_DEBUG=INFO for details), NCCL version 2.20.5
ncclSystemError: System call (e.g. socket, malloc) or external library call failed or device error.
Last error:
Error while creating shared memory segment /dev/shm/nccl-Qz0sBd (size 9637888)
"""),
    ("dataloader-worker-killed", """
ERROR: Unexpected segmentation fault encountered in worker.
Traceback (most recent call last):
  File "/usr/lib/python3.10/multiprocessing/queues.py", line 113, in get
    if not self._poll(timeout):
  File "/venv/lib/python3.10/site-packages/torch/utils/data/_utils/signal_handling.py", line 66, in handler
    _error_if_any_worker_fails()
RuntimeError: DataLoader worker (pid 20911) is killed by signal: Segmentation fault.

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "train_video.py", line 40, in <module>
    trainer.fit(net, datamodule=clips)
RuntimeError: DataLoader worker (pid(s) 20911) exited unexpectedly
"""),
    ("state-dict-mismatch", """
  File "/w/eval.py", line 33, in load
    model = LitCLIP.load_from_checkpoint(args.ckpt)
RuntimeError: Error(s) in loading state_dict for LitCLIP:
	Missing key(s) in state_dict: "visual.proj.bias".
	Unexpected key(s) in state_dict: "module.visual.proj.weight", "module.text.ln.weight".
	size mismatch for head.weight: copying a param with shape torch.Size([1000, 768]) from checkpoint, the shape in current model is torch.Size([37, 768]).
"""),
    ("weights-only-unpickling", """
_pickle.UnpicklingError: Weights only load failed. This file can still be loaded, to do so you have two options, do those steps only if you trust the source of the checkpoint.
	(1) In PyTorch 2.6, we changed the default value of the `weights_only` argument in `torch.load` from `False` to `True`. Re-running `torch.load` with `weights_only` set to `False` will likely succeed, but it can result in arbitrary code execution. Do it only if you got the file from a trusted source.
	WeightsUnpickler error: Unsupported global: GLOBAL omegaconf.listconfig.ListConfig was not an allowed global by default. Please use `torch.serialization.add_safe_globals([omegaconf.listconfig.ListConfig])`
"""),
    ("rendezvous-connection", """
[W socket.cpp:697] [c10d] The client socket has failed to connect to [node01.cluster]:29400 (errno: 111 - Connection refused).
[W socket.cpp:697] [c10d] The client socket has failed to connect to [node01.cluster]:29400 (errno: 111 - Connection refused).
Traceback (most recent call last):
  File "/opt/venv/lib/python3.12/site-packages/torch/distributed/rendezvous.py", line 189, in _create_c10d_store
    return TCPStore(
torch.distributed.DistNetworkError: The client socket has failed to connect to any network address of (node01.cluster, 29400). The client socket has failed to connect to 10.12.0.4:29400 (errno: 110 - Connection timed out).
"""),
    ("driver-too-old", """
/venv/lib/python3.11/site-packages/torch/cuda/__init__.py:174: UserWarning: CUDA initialization: The NVIDIA driver on your system is too old (found version 12020). Please update your GPU driver by downloading and installing a new version from the URL: http://www.nvidia.com/Download/index.aspx (Triggered internally at /pytorch/c10/cuda/CUDAFunctions.cpp:109.)
  return torch._C._cuda_getDeviceCount() > 0
Traceback (most recent call last):
  File "run.py", line 14, in <module>
    trainer = pl.Trainer(accelerator="gpu", devices=2)
lightning_fabric.utilities.exceptions.MisconfigurationException: No supported gpu backend found!
"""),
    ("gpu-hardware-error", """
RuntimeError: CUDA error: uncorrectable ECC error encountered
CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.
NVRM: Xid (PCI:0000:81:00): 94, pid=88123, name=python, Contained: SM (0x1).
"""),
    ("nan-loss", """
Epoch 0:  12%|█▏        | 120/1000 [00:31<03:50,  3.81it/s, v_num=2, train_loss_step=nan.0]
Traceback (most recent call last):
  File "gan.py", line 71, in training_step
    self.manual_backward(loss)
RuntimeError: Function 'LogBackward0' returned nan values in its 0th output.
"""),
    ("permission-denied", """
Traceback (most recent call last):
  File "/home/kim/train.py", line 52, in <module>
    trainer.fit(model)
  File "/usr/lib/python3.10/os.py", line 225, in makedirs
    mkdir(name, mode)
PermissionError: [Errno 13] Permission denied: '/shared/runs/lightning_logs/version_4'
"""),
    ("missing-shared-library", """
Traceback (most recent call last):
  File "train.py", line 3, in <module>
    import torch
  File "/v/lib/python3.11/site-packages/torch/__init__.py", line 367, in <module>
    from torch._C import *  # noqa: F403
ImportError: libcudnn.so.9: cannot open shared object file: No such file or directory
"""),
    ("lr-scheduler-monitor", """
lightning.fabric.utilities.exceptions.MisconfigurationException: ReduceLROnPlateau conditioned on metric val/loss which is not available. Available metrics are: ['train/loss', 'epoch', 'step']. Condition can be set using `monitor` key in lr scheduler dict
"""),
    ("backward-twice", """
RuntimeError: Trying to backward through the graph a second time (or directly access saved tensors after they have already been freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors after calling backward.
"""),
    ("torch-compile", """
  File "/v/lib/python3.11/site-packages/torch/_inductor/codecache.py", line 1900, in _run_from_cache
torch._inductor.exc.InductorError: LoweringException: AssertionError: Unsupported dtype
  target: aten.cumsum.default
Set TORCHDYNAMO_VERBOSE=1 for the internal stack trace (please do this especially if you're reporting a bug to PyTorch).
"""),
    ("gloo-connection-closed", """
[rank0]: Traceback (most recent call last):
[rank0]:   File "/w/train.py", line 40, in <module>
[rank0]:     trainer.fit(net, data)
[rank0]: RuntimeError: [../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [10.0.0.7]:41837
"""),
    ("dataloader-shm", """
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
============================================================
train.py FAILED
------------------------------------------------------------
Root Cause (first observed failure):
[0]:
  time      : 2025-03-03_11:01:12
  rank      : 3 (local_rank: 3)
  exitcode  : -7 (pid: 812)
  error_file: <N/A>
  traceback : Signal 7 (SIGBUS) received by PID 812
"""),
    ("user-exception", """
Traceback (most recent call last):
  File "/home/kim/model.py", line 77, in training_step
    ctc = self.decoder.align(batch)
  File "/home/kim/decoder.py", line 12, in align
    raise RuntimeError(f"no alignment for utterance {batch.name}")
RuntimeError: no alignment for utterance A-17
"""),
]  # fmt: skip


@pytest.mark.parametrize(("category", "text"), FAILURES, ids=[category for category, _ in FAILURES])
def test_a_text_that_no_rule_was_written_from(category: str, text: str) -> None:
    found = diagnose(Evidence(outputs=(OutputTail(text),)))
    assert [each.category for each in found][:1] == [category]


HEALTHY = {
    "progress bars and metrics": """
GPU available: True (cuda), used: True
Epoch 0: 100%|██████████| 938/938 [00:10<00:00, 89.1it/s, v_num=3, word_error_rate=0.311, val_error=0.12, nan_count=0.000, killed=0]
Epoch 1:  62%|██████▏   | 581/938 [00:06<00:03, 91.0it/s, v_num=3, error=1.2e-3, failed_samples=0.000]
Validation DataLoader 0: 100%|██████████| 157/157 [00:01<00:00, 120.5it/s]
{'train_error': 0.43, 'aborted': 0, 'timeout': False, 'oom': 0}
`Trainer.fit` stopped: `max_epochs=2` reached.
""",
    "NCCL at INFO": """
node3:4711:4711 [0] NCCL INFO Bootstrap : Using ib0:10.3.0.3<0>
node3:4711:4711 [0] NCCL INFO NET/Plugin: Could not find: libnccl-net.so. Using internal network plugin.
node3:4711:4760 [0] NCCL INFO Failed to open libibverbs.so[.1]
node3:4711:4760 [0] NCCL INFO NET/Socket : Using [0]ib0:10.3.0.3<0>
node3:4711:4760 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[1] via P2P/IPC/read
node3:4711:4760 [0] NCCL INFO comm 0x55d2 rank 0 nranks 8 cudaDev 0 nvmlDev 0 busId 7000 - Init COMPLETE
node3:4711:4812 [0] NCCL INFO [Service thread] Connection closed by localRank 0
node3:4711:4711 [0] NCCL INFO comm 0x55d2 rank 0 nranks 8 cudaDev 0 busId 7000 - Abort COMPLETE
""",
    "deprecations": """
/v/site-packages/torch/utils/_pytree.py:185: FutureWarning: optree is installed but the version is too old to support PyTorch Dynamo in C++ pytree.
/v/site-packages/lightning/pytorch/utilities/_pytree.py:21: `isinstance(treespec, LeafSpec)` is deprecated, use `isinstance(treespec, TreeSpec) and treespec.is_leaf()` instead.
<frozen importlib._bootstrap>:488: DeprecationWarning: builtin type SwigPyPacked has no __module__ attribute
/v/site-packages/google/protobuf/runtime_version.py:98: UserWarning: Protobuf gencode version 5.27.3 is exactly one major version older
2025-01-01 10:00:00.123456: E external/local_xla/xla/stream_executor/cuda/cuda_fft.cc:479] Unable to register cuFFT factory: Attempting to register factory for plugin cuFFT when one has already been registered
2025-01-01 10:00:00.223456: W tensorflow/compiler/tf2tensorrt/utils/py_utils.cc:38] TF-TRT Warning: Could not find TensorRT
""",
    "what was overcome": """
INFO retrying download (attempt 2 of 5): HTTP Error 503
WARNING:urllib3.connectionpool:Retrying (Retry(total=2)) after connection broken by 'NewConnectionError': /simple/x/
INFO download complete, 0 errors, 0 failures
[2025-01-01 10:00:01] INFO no checkpoint found in runs/7, starting from scratch
Traceback (most recent call last):
  File "data.py", line 9, in try_cache
    return open(path)
FileNotFoundError: [Errno 2] No such file or directory: 'cache.bin'
cache not found, building it
Epoch 0: 100%|██████████| 10/10 [00:00<00:00]
`Trainer.fit` stopped: `max_epochs=1` reached.
""",
    "what is checked, and what was tried again": """
INFO checking free space: disk is full: no
2025-01-01 10:00:00,123 - trainer.net - INFO - using port 29500 (not already in use)
[INFO] permission denied errors are ignored when scanning /proc
DEBUG address already in use? no
Killed 3 stale workers of a previous run
Segmentation fault injection test disabled
loss is nan-safe
wandb: Network error (ConnectionError), entering retry loop.
wandb: Network error resolved after 0:00:12.3, resuming normal operation.
node3:1:1 [0] NCCL WARN NET/IB : No device found.
Aborted trials: 0
""",
    "a polite end": """
Restoring states from the checkpoint path at runs/7/last.ckpt
Signal handler for SIGTERM and SIGUSR1 installed; out of memory errors are caught and retried
Monitored metric val_loss did not improve in the last 3 records. Best score: 0.211. Signaling Trainer to stop.
early stopping: error rate 0.10 (no improvement)
Saving latest checkpoint...
""",
}


@pytest.mark.parametrize("text", HEALTHY.values(), ids=list(HEALTHY))
def test_nothing_is_said_of_a_healthy_log(text: str) -> None:
    assert [(each.category, each.evidence.text) for each in diagnose(Evidence(outputs=(OutputTail(text),)))] == []
