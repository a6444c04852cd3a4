"""What goes wrong while data is loaded: workers, shared memory, samples that do not stack."""

from __future__ import annotations

from lightning_tui.diagnosis.model import Rule
from lightning_tui.diagnosis.rules.forms import LIGHTNING_DOCS, TORCH_DOCS, anywhere, do, printed, raised

_DATA = f"{TORCH_DOCS}/data.html"
_IN_MAIN = do("Load data in the main process once: the real error then shows itself.", computed="no_workers")

RULES = (
    Rule(
        category="dataloader-shm",
        title="Shared memory is too small for the loader's workers",
        cause="Workers hand over batches through /dev/shm, and it is full, tiny (64 MiB in a container by default) or missing.",
        signs=(
            anywhere("unable to allocate shared memory"),
            anywhere("insufficient shared memory"),
            anywhere("out of shared memory", lacks=("cuda", "triton", "out of resource")),
            anywhere("unable to write to file </torch_"),
            anywhere("unable to open shared memory object"),
            anywhere("unable to mmap", "shared memory"),
            anywhere("killed by signal: bus error"),
            printed("bus error", pattern=r"^(?:[\w./-]{1,80}: )?(?:line \d+: )?[\s\d]{0,12}Bus error\b"),
            printed("signal 7 (sigbus) received", weight=50),
            raised("exitcode", types=("ChildFailedError",), pattern=r"exitcode\s{1,8}: -7", weight=50),
            raised("unable to mmap", frame="torch/"),
            raised("semlock", frame="multiprocessing", pattern=r"(?:shm|No space|Function not implemented)"),
            raised(
                types=("OSError", "FileNotFoundError", "PermissionError"), last_frame="multiprocessing/synchronize.py"
            ),
            raised("/dev/shm", lacks=("nccl",)),
        ),
        weight=69,
        suggestions=(
            do(
                "Give the container more: `docker run --shm-size=8g` or `--ipc=host`; on Kubernetes an emptyDir of medium Memory at /dev/shm."
            ),
            do("Load data without workers: nothing then goes through /dev/shm.", computed="without_workers"),
            do("Use fewer workers, or fewer batches ahead.", computed="fewer_again"),
        ),
        docs=f"{TORCH_DOCS}/multiprocessing.html#sharing-strategies",
        examples=(
            "ERROR: Unexpected bus error encountered in worker. This might be caused by insufficient shared memory (shm).",
            "RuntimeError: unable to write to file </torch_4711_0>: No space left on device (28)",
        ),
    ),
    Rule(
        category="dataloader-timeout",
        title="A loader's worker gave no batch in time",
        cause="No batch came within[[ {seconds} s]] the DataLoader's timeout: slow storage, a dead lock, or work that is too much for the workers.",
        signs=(raised("dataloader timed out after", pattern=r"timed out after (?P<seconds>[\d.]+) seconds"),),
        weight=66,
        suggestions=(
            do("Raise the loader's timeout, or set it to 0, while you look for what is slow.", in_code=True),
            do("Load data in the main process: there is no timeout then.", computed="without_workers"),
            do("Use more workers.", computed="more_workers"),
        ),
        docs=_DATA,
        examples=("RuntimeError: DataLoader timed out after 60 seconds",),
    ),
    Rule(
        category="dataloader-worker-killed",
        title="A loader's worker died",
        cause="A worker process[[ (pid {pid})]] ended[[ by signal {signal}]] without an exception: mostly the kernel killed it because memory ran out; else native code crashed in it.",
        signs=(
            raised(
                "dataloader worker (pid",
                pattern=r"pid\(?s?\)? ?(?P<pid>[\d, ]{1,60}?)\)[^\n]{0,40}(?:by signal: (?P<signal>\w[\w ]{1,40}))?",
                lacks=("bus error",),
            ),
            raised("exited unexpectedly", "dataloader", lacks=("bus error",)),
            raised("dataloader worker", "killed by signal", lacks=("bus error",)),
            anywhere("dataloader worker", "is killed by signal", lacks=("bus error",)),
            printed(
                "unexpected",
                "encountered in worker",
                pattern=r"ERROR: Unexpected (?P<signal>[\w ]{1,40}) encountered in worker",
                lacks=("bus error",),
            ),
            raised(types=("BrokenProcessPool",)),
        ),
        weight=56,
        suggestions=(
            do("Load data in the main process: no worker can then be killed.", computed="without_workers"),
            do(
                "Use fewer workers: each holds its own batches and often its own copy of the dataset.",
                computed="fewer_again",
            ),
            do("See whether memory ran out: `dmesg | grep -i oom`, and the size of /dev/shm."),
        ),
        docs=_DATA,
        examples=(
            "RuntimeError: DataLoader worker (pid(s) 4711, 4712) exited unexpectedly",
            "RuntimeError: DataLoader worker (pid 32728) is killed by signal: Killed.",
        ),
    ),
    Rule(
        category="dataloader-config",
        title="The DataLoader's arguments do not go together",
        cause="[[{what}]]",
        signs=(
            raised("dataloader with iterabledataset", pattern=r"Error: (?P<what>[^\n]{1,300})"),
            raised("option is mutually exclusive with", pattern=r"Error: (?P<what>[^\n]{1,300})"),
            raised("prefetch_factor option could only be specified", pattern=r"Error: (?P<what>[^\n]{1,300})"),
            raised("persistent_workers option needs num_workers", pattern=r"Error: (?P<what>[^\n]{1,300})"),
            raised("num_workers option should be non-negative"),
            raised("timeout option should be non-negative"),
            raised("batch_size should be a positive integer"),
            raised("batch_size=none option disables auto-batching", pattern=r"Error: (?P<what>[^\n]{1,300})"),
            raised("num_samples should be a positive integer", weight=55),
            raised("multiprocessing_context", "option"),
            raised("custom `sampler`", pattern=r"Error: (?P<what>[^\n]{1,300})|Exception: (?P<what2>[^\n]{1,300})"),
            raised("trying to inject", "instance"),
            raised("can't inject a (distributed) sampler"),
            raised("invalid rank", "rank should be in the interval"),
            raised("sampler", "iterabledataset"),
            raised("pin memory", frame="torch/utils/data"),
            raised("drop_last should be a boolean"),
            raised("object of type", "has no len()", frame="torch/utils/data/sampler", types=("TypeError",)),
            raised("shuffle option", "dataloader"),
            raised("dataloader_idx", "dataloader", types=("RuntimeError",)),
            raised("when using an iterabledataset", weight=61),
            raised("when using an `iterabledataset`", weight=61),
        ),
        weight=62,
        suggestions=(
            do(
                "An IterableDataset shuffles and shards by itself: no shuffle and no sampler with it. A sampler or a batch_sampler takes the place of shuffle and batch_size.",
                in_code=True,
            ),
            do("prefetch_factor, timeout and persistent_workers need workers.", num_workers=2),
        ),
        docs=_DATA,
        examples=(
            "ValueError: sampler option is mutually exclusive with shuffle",
            "ValueError: prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None.",
            "ValueError: persistent_workers option needs num_workers > 0",
        ),
    ),
    Rule(
        category="collate-size-mismatch",
        title="The samples of a batch do not stack",
        cause="default_collate stacks samples, and theirs have different sizes[[: {first} and {second}]] or kinds.",
        signs=(
            raised(
                "stack expects each tensor to be equal size",
                pattern=r"got (?P<first>\[[\d, ]{0,80}\]) at entry \d+ and (?P<second>\[[\d, ]{0,80}\])",
            ),
            raised("each element in list of batch should be of equal size"),
            raised("default_collate: batch must contain tensors"),
            raised("batch must contain tensors, numpy arrays, numbers"),
            raised("trying to resize storage that is not resizable", frame="collate"),
            raised("trying to resize storage that is not resizable", weight=55),
            raised("must match", frame="_utils/collate"),
            raised(
                types=("RuntimeError", "TypeError", "ValueError", "KeyError", "IndexError"),
                last_frame="_utils/collate.py",
            ),
            raised("all input arrays must have the same shape", frame="collate"),
            raised("by the default collate_fn"),
            raised("unable to create tensor, you should probably activate truncation and/or padding"),
        ),
        weight=67,
        suggestions=(
            do(
                "Give samples one size (resize, crop, pad), or write a collate_fn that pads (torch.nn.utils.rnn.pad_sequence) or returns lists.",
                in_code=True,
            ),
            do("To see at once which sample it is, load in the main process: num_workers=0."),
        ),
        docs=f"{_DATA}#dataloader-collate-fn",
        examples=(
            "RuntimeError: stack expects each tensor to be equal size, but got [3, 224, 224] at entry 0 and [1, 224, 224] at entry 3",
            "TypeError: default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found <class 'PIL.Image.Image'>",
        ),
    ),
    Rule(
        category="dataset-exception",
        title="The dataset raised an exception in a worker",
        cause="[[{type}: {message}. ]]It was raised while a sample was read; the DataLoader only carries it over.",
        signs=(),
        weight=48,
        suggestions=(
            do(
                "Look at the program's own frame: which sample, which file? A path that does not exist, a damaged file, an index out of range.",
                in_code=True,
            ),
            do("To debug it, load in the main process: num_workers=0."),
        ),
        docs=f"{_DATA}#multi-process-data-loading",
        examples=(
            "FileNotFoundError: Caught FileNotFoundError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n"
            "  File \"/home/me/proj/data.py\", line 7, in __getitem__\n    with open(path) as f:\nFileNotFoundError: [Errno 2] No such file or directory: 'a.png'",
        ),
    ),
    Rule(
        category="empty-dataset",
        title="There is nothing to train on",
        cause="The dataset or the loader has no samples or not one full batch[[: {what}]].",
        signs=(
            raised(
                "num_samples should be a positive integer value, but got num_samples=0",
                pattern=r"(?P<what>num_samples=0)",
                weight=66,
            ),
            raised("total length of", "zero"),
            raised("_dataloader` but", "< 1", pattern=r"(?P<what>You requested to check [^\n]{1,120}?< 1)"),
            raised("please make sure that it returns at least 1 batch"),
            raised("found 0 files in subfolders"),
            raised("found no valid file for the classes"),
            raised("couldn't find any class folder"),
            raised("dataset", "is empty", types=("ValueError", "RuntimeError", "AssertionError")),
            raised("datasets should not be an empty iterable"),
            printed("across ranks is zero", "total length of", weight=45),
            printed("`dataloader` within local rank has zero length", weight=61),
            raised("returned 0 length"),
            printed("returned 0 length"),
            raised("empty dataset"),
            raised("with n_samples=0"),
            raised("not enough values to unpack", "got 0", frame="lightning/pytorch/loops"),
            printed("trainer.fit` stopped: no training batches"),
        ),
        weight=63,
        suggestions=(
            do("Check the data's path and filters: print(len(dataset)).", in_code=True),
            do("With few samples: a smaller batch, or drop_last=False.", in_code=True),
            do("Take all batches.", computed="all_batches"),
        ),
        docs=_DATA,
        examples=(
            "ValueError: num_samples should be a positive integer value, but got num_samples=0",
            "RuntimeError: Found 0 files in subfolders of: data/train",
        ),
    ),
    Rule(
        category="missing-dataloader",
        title="No data loader was given",
        cause="Neither fit's arguments, nor the data module, nor the module's own[[ {hook}]] give a loader.",
        signs=(
            raised(
                "_dataloader` must be implemented to be used", pattern=r"`(?P<hook>\w+_dataloader)` must be implemented"
            ),
            raised("_dataloader()` method defined", pattern=r"No `(?P<hook>\w+_dataloader)\(\)` method defined"),
            raised("an invalid dataloader was passed to", weight=63),
            raised("an invalid dataloader was returned from", weight=63),
            raised("expects as minimum", "train_dataloader", lacks=("no `training_step", "no `configure_optimizers")),
        ),
        weight=66,
        suggestions=(
            do(
                "Pass one: trainer.fit(model, train_dataloaders=...) or datamodule=..., or write train_dataloader().",
                in_code=True,
            ),
        ),
        docs=f"{LIGHTNING_DOCS}/data/datamodule.html",
        examples=(
            "MisconfigurationException: `train_dataloader` must be implemented to be used with the Lightning Trainer",
        ),
    ),
    Rule(
        category="batchnorm-single-sample",
        title="BatchNorm got a batch of one",
        cause="In training BatchNorm needs more than one value per channel, and got an input of size {size}: the last, smaller batch, or a batch size of 1.",
        signs=(
            raised(
                "expected more than 1 value per channel when training",
                pattern=r"size (?P<size>torch\.Size\(\[[\d, ]{1,80}\]\))",
            ),
            raised("expected more than 1 spatial element when training"),
        ),
        weight=66,
        suggestions=(
            do("Leave out the last, smaller batch: DataLoader(..., drop_last=True).", in_code=True),
            do("Train without the last batch of an epoch.", computed="without_the_last_batch"),
            do("Take a batch of 2 or more.", in_code=True),
            do("With tiny batches use GroupNorm, or sync_batchnorm over several devices.", in_code=True),
        ),
        docs=f"{TORCH_DOCS}/generated/torch.nn.BatchNorm2d.html",
        examples=(
            "ValueError: Expected more than 1 value per channel when training, got input size torch.Size([1, 64])",
        ),
    ),
    Rule(
        category="too-many-open-files",
        title="Too many open files",
        cause="The process came to its limit of open files: workers share tensors by file descriptors, or files are opened and never closed.",
        signs=(
            anywhere("too many open files"),
            raised("errno 24"),
            anywhere("received 0 items of ancdata"),
            anywhere("emfile"),
            anywhere("unable to open shared memory object", "too many", weight=72),
        ),
        weight=71,
        suggestions=(
            do("Raise the limit: `ulimit -n 65535` before the start."),
            do("Load data without workers: no file is then held open for a tensor.", computed="workers_without_files"),
            do("Share by files: torch.multiprocessing.set_sharing_strategy('file_system').", computed="share_by_files"),
        ),
        docs=f"{TORCH_DOCS}/multiprocessing.html#file-descriptor-file-descriptor",
        examples=(
            "OSError: [Errno 24] Too many open files: 'data/0001.png'",
            "RuntimeError: received 0 items of ancdata",
        ),
    ),
)
