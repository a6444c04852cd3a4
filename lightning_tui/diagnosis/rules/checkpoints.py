"""What goes wrong with checkpoints: finding, reading, trusting and fitting them."""

from __future__ import annotations

from lightning_tui.diagnosis.model import Rule
from lightning_tui.diagnosis.rules.forms import LIGHTNING_DOCS, TORCH_DOCS, anywhere, do, printed, raised

_CHECKPOINTS = f"{LIGHTNING_DOCS}/common/checkpointing_basic.html"
_OTHER = do("Resume from another checkpoint: the one before, or last.ckpt.", computed="resume")

RULES = (
    Rule(
        category="checkpoint-not-found",
        title="The checkpoint is not there",
        cause="[[{path} does not exist on this machine.]]",
        signs=(
            raised("checkpoint file not found", pattern=r"not found: (?P<path>[^\n]{1,300}?)\.?(?: Aborting|$)"),
            raised("checkpoint", "not found", types=("FileNotFoundError",), detail=r"not found: (?P<path>\S{1,300})"),
            raised(
                "no such file or directory",
                types=("FileNotFoundError",),
                pattern=r"directory: '(?P<path>[^']{1,300}\.(?:ckpt|pt|pth|bin|safetensors))'",
                lacks=(".bin.index", "saving"),
            ),
            raised("checkpoint at", "not found", pattern=r"Checkpoint at (?P<path>\S{1,300})"),
            raised("does not point to a valid checkpoint", pattern=r"path '?(?P<path>[^\n']{1,300}?)'? does not point"),
            raised("ckpt_path=", types=("ValueError", "MisconfigurationException")),
            raised("found no path for the best weights"),
            raised("no such file", frame="checkpoint_connector"),
            raised("unable to find 'latest' file at"),
            raised("no checkpoint found"),
            raised("aborting training", "checkpoint"),
            raised("hpc checkpoint was found"),
            raised("can't find a valid checkpoint at"),
            printed('`.fit(ckpt_path="last")` is set, but there is no last checkpoint available', weight=31),
            raised("no such file or directory", types=("FileNotFoundError",), frame="cloud_io"),
            raised("no such file or directory", types=("FileNotFoundError",), last_frame="torch/serialization.py"),
        ),
        weight=64,
        suggestions=(
            do("Look at the path, and at what is there: `ls` the folder; relative paths count from the run's folder."),
            do("Resume from the newest one that is whole.", computed="resume"),
            do("Begin anew, without this checkpoint.", computed="begin_anew"),
        ),
        docs=_CHECKPOINTS,
        examples=(
            "FileNotFoundError: Checkpoint file not found: runs/7/last.ckpt",
            "FileNotFoundError: Checkpoint at epoch9.ckpt not found. Aborting training.",
            "FileNotFoundError: [Errno 2] No such file or directory: '/data/model.ckpt'",
        ),
    ),
    Rule(
        category="checkpoint-corrupted",
        title="The file is damaged, or no checkpoint at all",
        cause="[[It begins with {key!r}. ]]It was cut off while being written (full disk, killed job), downloaded only in part, or is something else: a web page, a Git LFS pointer.",
        signs=(
            anywhere("failed finding central directory"),
            anywhere("pytorchstreamreader failed"),
            raised("invalid load key", pattern=r"invalid load key, '(?P<key>[^\n]{1,12}?)'\."),
            raised("invalid magic number"),
            raised(types=("KeyError", "IndexError", "EOFError"), last_frame="torch/_weights_only_unpickler"),
            raised("corrupt file"),
            raised(
                "corrupted",
                types=("RuntimeError", "ValueError", "OSError", "UnpicklingError"),
                pattern=r"(?:checkpoint|file|zip|archive)",
            ),
            raised("pickle data was truncated"),
            raised("unexpected eof"),
            raised("ran out of input", types=("EOFError",)),
            raised(types=("EOFError",), frame="torch/serialization"),
            raised("not a zip file", types=("BadZipFile",)),
            raised(types=("BadZipFile",)),
            raised("headertoolarge"),
            raised("metadataincompletebuffer"),
            raised("invalidheaderdeserialization"),
            raised(types=("SafetensorError",)),
            raised("unexpected end of data"),
            raised("unpickling stack underflow"),
            raised("file in archive is not in a subdirectory"),
            raised("could not find mark"),
            raised("unable to load weights from pytorch checkpoint file"),
            raised("storage has wrong byte size"),
            raised(
                "unpickl",
                frame="torch/serialization",
                lacks=("weights only", "weights_only", "unsupported global"),
                weight=55,
            ),
            raised("bad magic number"),
            raised("not a gzipped file"),
            raised("crc check failed"),
        ),
        weight=65,
        suggestions=(
            do(
                "Look what it is: `ls -l` and `head -c 200 FILE`; a pointer of Git LFS needs `git lfs pull`, a download its right address."
            ),
            _OTHER,
            do("Begin anew, without this checkpoint.", computed="begin_anew"),
        ),
        docs=_CHECKPOINTS,
        examples=(
            "RuntimeError: PytorchStreamReader failed reading zip archive: failed finding central directory",
            "_pickle.UnpicklingError: invalid load key, 'v'.",
            "EOFError: Ran out of input",
            "safetensors_rust.SafetensorError: Error while deserializing header: HeaderTooLarge",
        ),
    ),
    Rule(
        category="checkpoint-wrong-format",
        title="The file is not a full Lightning checkpoint",
        cause="[[The key {key!r} is missing. ]]It holds weights alone (a plain state_dict, another library's file), or only the model of a checkpoint.",
        signs=(
            raised("pytorch-lightning_version", types=("KeyError",), pattern=r"(?P<key>pytorch-lightning_version)"),
            raised("state_dict", types=("KeyError",), pattern=r"KeyError: '(?P<key>state_dict)'"),
            raised("global_step", types=("KeyError",), frame="lightning"),
            raised("optimizer_states", types=("KeyError",), pattern=r"(?P<key>optimizer_states)"),
            raised("checkpoint contains only the model"),
            raised("save_weights_only"),
            raised("loops", types=("KeyError",), frame="checkpoint_connector"),
            raised("checkpoint path exists and is a directory"),
            raised("epoch", types=("KeyError",), frame="checkpoint_connector"),
            raised("is a directory", types=("IsADirectoryError",), pattern=r"(?:ckpt|checkpoint)"),
            raised("'collections.ordereddict' object has no attribute"),
            raised("lr_schedulers", types=("KeyError",), frame="checkpoint_connector"),
            raised("hyper_parameters", types=("KeyError",)),
            raised("isn't a", "checkpoint", types=("ValueError",)),
            raised(types=("IsADirectoryError",), frame="torch/serialization"),
        ),
        weight=66,
        suggestions=(
            do(
                "Load the weights by hand: model.load_state_dict(torch.load(path, weights_only=True)), and fit without ckpt_path.",
                in_code=True,
            ),
            do("Begin anew, without this checkpoint.", computed="begin_anew"),
            do("Take a checkpoint that Lightning wrote, with save_weights_only=False."),
        ),
        docs=_CHECKPOINTS,
        examples=(
            "KeyError: 'pytorch-lightning_version'",
            "KeyError: 'Trying to restore optimizer state but checkpoint contains only the model. This is probably due to `ModelCheckpoint.save_weights_only` being set to `True`.'",
        ),
    ),
    Rule(
        category="checkpoint-hparams-missing",
        title="The checkpoint does not say how to make the model",
        cause="[[{what}: ]]load_from_checkpoint makes the model anew, and the arguments of its __init__ were not saved.",
        signs=(
            raised(
                "__init__() missing",
                "required",
                frame="core/saving.py",
                pattern=r"(?P<what>missing \d+ required[^\n]{1,160})",
            ),
            raised(
                "__init__() missing", "required", frame="saving", pattern=r"(?P<what>missing \d+ required[^\n]{1,160})"
            ),
            raised(
                "__init__() missing",
                "required",
                elsewhere=("load_from_checkpoint",),
                pattern=r"(?P<what>missing \d+ required[^\n]{1,160})",
            ),
            raised("unexpected keyword argument", last_frame="_load_state"),
            raised("got an unexpected keyword argument", frame="core/saving.py"),
            raised("requested by the checkpoint does not resolve"),
        ),
        weight=66,
        suggestions=(
            do("Pass them: Model.load_from_checkpoint(path, backbone=..., num_classes=...).", in_code=True),
            do("For the next time call self.save_hyperparameters() in __init__.", in_code=True),
        ),
        docs=f"{_CHECKPOINTS}#save-hyperparameters",
        examples=(
            'Traceback (most recent call last):\n  File "/x/site-packages/lightning/pytorch/core/saving.py", line 186, in _load_state\n    obj = cls(**_cls_kwargs)\n'
            "TypeError: Net.__init__() missing 1 required positional argument: 'hidden'",
        ),
    ),
    Rule(
        category="checkpoint-map-location",
        title="A checkpoint from a GPU is loaded where that GPU is not",
        cause="Its tensors remember their device[[ ({device})]], which is not there.",
        signs=(
            raised("attempting to deserialize object on", detail=r"on (?:a )?(?P<device>\w+) device"),
            raised("don't know how to restore data location of"),
        ),
        weight=69,
        suggestions=(
            do(
                'Say where to: torch.load(path, map_location="cpu"), load_from_checkpoint(path, map_location="cpu").',
                in_code=True,
            ),
        ),
        docs=f"{TORCH_DOCS}/generated/torch.load.html",
        examples=(
            "RuntimeError: Attempting to deserialize object on CUDA device 3 but torch.cuda.device_count() is 1. Please use torch.load with map_location to map your storages to an existing device.",
        ),
    ),
    Rule(
        category="state-dict-mismatch",
        title="Weights and model do not fit",
        cause="[[{what}. ]]The checkpoint comes from another architecture or other settings, or its names carry another prefix (model., module., _orig_mod.).",
        signs=(
            raised(
                "error(s) in loading state_dict",
                detail=r"(?P<what>(?:size mismatch for|Missing key\(s\)|Unexpected key\(s\))[^\n]{0,160})",
            ),
            raised("missing key(s) in state_dict"),
            raised("unexpected key(s) in state_dict"),
            raised("size mismatch for", "copying a param"),
            raised("does not exist in the loaded checkpoint"),
            raised("missing keys", "state", types=("RuntimeError", "KeyError")),
            raised("missing key in checkpoint state_dict"),
            raised("shape mismatch", "state_dict"),
            raised("ignore_mismatched_sizes"),
            raised("unexpected keys", "state_dict"),
        ),
        weight=65,
        suggestions=(
            do(
                "Make the model with the settings that the checkpoint was trained with (see its hyper_parameters).",
                in_code=True,
            ),
            do("Begin anew, without this checkpoint.", computed="begin_anew"),
            do(
                "Strip or add the prefix of the names before load_state_dict; strict=False only if some weights shall really stay new.",
                in_code=True,
            ),
        ),
        docs=f"{TORCH_DOCS}/generated/torch.nn.Module.html#torch.nn.Module.load_state_dict",
        examples=(
            "RuntimeError: Error(s) in loading state_dict for LitModel:\n\tsize mismatch for head.weight: copying a param with shape torch.Size([10, 64]) from checkpoint, the shape in current model is torch.Size([5, 64]).",
        ),
    ),
    Rule(
        category="optimizer-state-mismatch",
        title="The optimizer's state does not fit",
        cause="The checkpoint's optimizer has other parameter groups than this one: layers were added, frozen or ordered anew, or there are other optimizers.",
        signs=(
            raised("doesn't match the size of optimizer's group"),
            raised("loaded state dict has a different number of parameter groups"),
            raised("loaded state dict contains a parameter group"),
            raised("loaded state dict"),
            raised("optimizers but the checkpoint contains", "optimizers to load"),
            raised("optimizer", "state", frame="load_optimizer_state_dict", weight=55),
            raised("optimizer state dict", pattern=r"(?:match|mismatch|missing)"),
            raised("must match the size of tensor b", frame="torch/optim/", weight=62),
        ),
        weight=66,
        suggestions=(
            do("Resume with the same model and the same configure_optimizers.", in_code=True),
            do("Begin anew, without this checkpoint.", computed="begin_anew"),
            do("To fine-tune, load the weights alone (load_from_checkpoint) and fit without ckpt_path.", in_code=True),
        ),
        docs=_CHECKPOINTS,
        examples=(
            "ValueError: loaded state dict contains a parameter group that doesn't match the size of optimizer's group",
            "RuntimeError: You have configured 2 optimizers but the checkpoint contains 1 optimizers to load.",
        ),
    ),
    Rule(
        category="weights-only-unpickling",
        title="torch.load refused to read objects of this kind",
        cause="[[It holds {what}, which is not on the list of safe types. ]]Since PyTorch 2.6 torch.load reads tensors and plain values only, because a pickle can run any code.",
        signs=(
            anywhere(
                "weights only load failed",
                detail=r"GLOBAL (?P<what>[\w.]{1,120}) was not an allowed",
            ),
            raised("weightsunpickler error"),
            raised("was not an allowed global by default"),
            raised("weights_only", "unsupported", types=("UnpicklingError", "RuntimeError")),
            raised("unsupported operand", types=("UnpicklingError",)),
            raised("unsupported global"),
            raised("unsupported class", types=("UnpicklingError",)),
            raised("cannot use ``weights_only=true``"),
            raised("can not safely load weights"),
            raised("is not in the allowlist of trusted"),
            raised("we now require users to upgrade torch to at least v2.6"),
        ),
        weight=68,
        suggestions=(
            do(
                "Allow just this type: torch.serialization.add_safe_globals([...]), if the file is your own.",
                in_code=True,
            ),
            do(
                "Only for a file whose maker you trust: torch.load(..., weights_only=False), fit(..., weights_only=False). It can run any code.",
                computed="trust_the_file",
                in_code=True,
                trust=True,
            ),
            do("Begin anew, without this checkpoint.", computed="begin_anew"),
            do(
                "For the next time save plain values in hyper-parameters (strings for paths, dicts for configs).",
                in_code=True,
            ),
        ),
        docs=f"{TORCH_DOCS}/notes/serialization.html#weights-only",
        examples=(
            "_pickle.UnpicklingError: Weights only load failed. This file can still be loaded, to do so you have two options",
        ),
    ),
)
