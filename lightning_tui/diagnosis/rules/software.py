"""What goes wrong with installed software: modules, libraries, versions, and the program's own text."""

from __future__ import annotations

from lightning_tui.diagnosis.model import Rule
from lightning_tui.diagnosis.rules.forms import LIGHTNING_DOCS, anywhere, do, printed, raised

_MOVED = (
    r"(?:pytorch_lightning|lightning|lightning_fabric|lightning_lite|torchmetrics|torch|torchvision|torchtext|torchaudio|transformers|datasets|numpy|pkg_resources|collections|"
    r"scipy|sklearn|diffusers|huggingface_hub|accelerate|PIL|keras|tensorflow|hydra|omegaconf|jsonargparse|pandas|distutils|imp|lightning_utilities)"
)

_NO_PKG_RESOURCES = "pkg_resources is part of setuptools, whose newest versions no longer have it, or is not installed."
_OLD_SETUPTOOLS = do("`pip install 'setuptools<81'`, or update the package that still asks for pkg_resources.")
_NO_DISTUTILS = "Python 3.12 no longer has distutils; setuptools brings a substitute."
_SOME_SETUPTOOLS = do("`pip install setuptools`, or update the package that still imports distutils.")
_NEW_PROTOBUF = "The installed protobuf is newer than the generated code of a package (TensorBoard, ONNX, a tracker)."
_OLD_PROTOBUF = do(
    "`pip install 'protobuf<3.21'`, or update the package; PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python is slow."
)

RULES = (
    Rule(
        category="missing-module",
        title="A package is not installed",
        cause="[[{module!r} is not there for the Python that runs the program.]]",
        signs=(
            raised(
                "no module named",
                types=("ModuleNotFoundError", "ImportError"),
                pattern=r"No module named '?(?P<module>[\w.-]{1,120})",
                lacks=("no module named 'deepspeed",),
            ),
            raised(
                "pip install",
                types=("ImportError", "ModuleNotFoundError"),
                pattern=r"pip install (?:-U |--upgrade )?'?(?P<module>[\w.\[\]-]{1,80})",
                lacks=("deepspeed", "requires torch>=", "upgrade"),
            ),
            raised(
                "is not installed",
                types=("ImportError", "ModuleNotFoundError", "RuntimeError", "ValueError", "MisconfigurationException"),
                lacks=("deepspeed",),
            ),
            raised("seems to be not installed"),
            raised("not installed", types=("ImportError", "ModuleNotFoundError")),
            raised("requires", "to be installed", types=("ImportError", "ModuleNotFoundError")),
            raised("you need to install"),
            raised("library but it was not found in your environment"),
            raised(
                "please install",
                types=("ImportError", "ModuleNotFoundError", "RuntimeError", "ValueError"),
                lacks=("torch>=",),
            ),
            raised("neither `tensorboard` nor `tensorboardx` is available"),
            raised("must be installed", types=("ImportError", "ModuleNotFoundError")),
            raised(types=("PackageNotFoundError", "DistributionNotFound")),
            printed("no module named", pattern=r"^[\w./-]{1,160}: No module named '?(?P<module>[\w.]{1,80})"),
        ),
        weight=62,
        suggestions=(
            do("Install it in the program's environment: `python -m pip install NAME` with that very Python."),
            do("If it is your own module, start from its folder, or install it (`pip install -e .`)."),
            do("Choose the interpreter that has it: --python PATH."),
        ),
        docs="https://packaging.python.org/en/latest/tutorials/installing-packages/",
        examples=("ModuleNotFoundError: No module named 'timm'",),
    ),
    Rule(
        category="import-removed-api",
        title="An import that this version no longer has",
        cause="[[{name!r} is not in {module}. ]]The library is newer or older than the program expects; the name moved or was removed.",
        signs=(
            raised(
                "cannot import name",
                pattern=r"cannot import name '(?P<name>\w+)' from '(?P<module>[\w.]{1,120})'",
                lacks=("partially initialized module",),
            ),
            raised("cannot import name", lacks=("partially initialized module",), weight=62),
            raised(
                "no module named",
                types=("ModuleNotFoundError",),
                pattern=rf"No module named '(?P<module>{_MOVED}\.[\w.]{{1,120}})'",
            ),
            raised(
                "no module named",
                types=("ModuleNotFoundError",),
                pattern=r"No module named '(?P<module>imp|torch\._six|lightning_lite)'",
            ),
            raised("no module named 'pkg_resources'", cause=_NO_PKG_RESOURCES, suggestions=(_OLD_SETUPTOOLS,)),
            raised("no module named 'distutils'", cause=_NO_DISTUTILS, suggestions=(_SOME_SETUPTOOLS,)),
            raised(
                "descriptors cannot be created directly", cause=_NEW_PROTOBUF, suggestions=(_OLD_PROTOBUF,), weight=68
            ),
            raised(
                "descriptors cannot not be created directly",
                cause=_NEW_PROTOBUF,
                suggestions=(_OLD_PROTOBUF,),
                weight=68,
            ),
            raised(
                "has no attribute",
                types=("AttributeError",),
                pattern=rf"module '(?P<module>{_MOVED}(?:\.[\w.]{{1,120}})?)' has no attribute '(?P<name>\w+)'",
                lacks=("circular import",),
            ),
            raised("was removed in the numpy 2.0 release"),
            raised("is deprecated and has been removed"),
            raised("was removed in numpy"),
            raised("use `lightning", "instead", types=("ImportError", "ModuleNotFoundError")),
        ),
        weight=66,
        suggestions=(
            do(
                "Look up where it went in the library's changelog (Lightning: the migration guide), or install the version that the program was written for.",
                in_code=True,
            ),
            do(
                "`from pytorch_lightning.utilities.distributed` is now `.utilities.rank_zero`; plugins of strategies are lightning.pytorch.strategies.",
                in_code=True,
            ),
        ),
        docs=f"{LIGHTNING_DOCS}/upgrade/migration_guide.html",
        examples=(
            "ImportError: cannot import name 'LightningLite' from 'lightning.lite' (/x/__init__.py)",
            "ModuleNotFoundError: No module named 'torchtext.legacy'",
            "AttributeError: module 'pytorch_lightning' has no attribute 'metrics'",
        ),
    ),
    Rule(
        category="missing-shared-library",
        title="A shared library is missing",
        cause="[[{library} could not be loaded: it is not installed, or its folder is not where the loader looks.]]",
        signs=(
            anywhere(
                "cannot open shared object file",
                detail=r"(?P<library>lib[\w.+-]{1,80}\.so[\w.]{0,20})",
                lacks=("dlerror", "could not load dynamic library"),
            ),
            raised("dll load failed"),
            raised("library not loaded"),
            raised("image not found"),
            anywhere(
                "/libstdc++.so.6: version",
                pattern=r"(?P<library>lib[\w+.-]{1,40}\.so\.\d+: version `[\w.]{1,40}' not found)",
            ),
            anywhere("version `glibc", pattern=r"(?P<library>version `GLIBC[\w.]{1,20}' not found)"),
            anywhere("version `cxxabi"),
            raised("dlopen", pattern=r"(?:not found|no such file|cannot)"),
            raised("cannot load", "library", types=("OSError", "ImportError")),
            raised("could not load this library"),
            anywhere("unable to load any of {libcudnn"),
            raised("sndfile library not found"),
            raised("libgl.so.1"),
        ),
        weight=66,
        suggestions=(
            do(
                "Install what has it (libGL: libgl1; libcudnn, libnccl and the like: reinstall PyTorch with pip, which brings its own)."
            ),
            do("Take foreign folders out of LD_LIBRARY_PATH: they go before the libraries that PyTorch brings."),
        ),
        docs="https://pytorch.org/get-started/locally/",
        examples=(
            "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
            "OSError: libcudart.so.11.0: cannot open shared object file: No such file or directory",
            "ImportError: /lib/x86_64-linux-gnu/libstdc++.so.6: version `GLIBCXX_3.4.32' not found (required by x.so)",
        ),
    ),
    Rule(
        category="undefined-symbol",
        title="Two binaries do not fit each other",
        cause="[[The symbol {symbol} is missing. ]]An extension was built against another version of PyTorch, CUDA or Python than the one in use.",
        signs=(
            anywhere(
                "undefined symbol",
                pattern=r"undefined symbol: (?P<symbol>[\w@.]{1,80})",
                lacks=("failed to load image python extension",),
            ),
            raised("symbol not found in flat namespace"),
            raised("undefined reference"),
            anywhere("symbol lookup error"),
            raised("couldn't load custom c++ ops"),
            raised("operator torchvision::nms does not exist"),
            raised("torchvision::nms"),
            raised("detected that pytorch and torchvision were compiled with different cuda"),
            raised("the detected cuda version", "mismatches", weight=62),
            raised("pytorch and torchaudio were compiled with different"),
        ),
        weight=68,
        suggestions=(
            do(
                "Reinstall the extension for this PyTorch (torchvision, torchaudio, flash-attn and their like have matching versions), without its build cache: `pip install --no-cache-dir --force-reinstall`."
            ),
            do("Make a fresh environment, and take foreign folders out of LD_LIBRARY_PATH."),
        ),
        docs="https://pytorch.org/get-started/previous-versions/",
        examples=(
            "ImportError: flash_attn_2_cuda.cpython-310-x86_64-linux-gnu.so: undefined symbol: _ZN3c104cuda9SetDeviceEi",
            "RuntimeError: operator torchvision::nms does not exist",
        ),
    ),
    Rule(
        category="numpy-abi",
        title="A package was built for another NumPy",
        cause="NumPy 2 is installed, and a package compiled for NumPy 1 (or the other way round) cannot work with it.",
        signs=(
            raised("numpy is not available"),
            anywhere("compiled using numpy 1.x cannot be run in"),
            anywhere("numpy.dtype size changed"),
            anywhere("numpy.ufunc size changed"),
            raised("numpy.core.multiarray failed to import"),
            anywhere("_array_api not found"),
            raised("module compiled against api version"),
            raised("module compiled against abi version"),
            raised("binary incompatibility", "numpy"),
            raised("expected 96 from c header"),
            raised("multiarray failed to import"),
            raised("no module named 'numpy.core"),
            raised("no module named 'numpy._core"),
            raised("numpy", "has no attribute", pattern=r"(?:'np\.|module 'numpy' has no attribute)", weight=67),
        ),
        weight=70,
        suggestions=(do("`pip install 'numpy<2'`, or update the package that was built for the older one."),),
        docs="https://numpy.org/doc/stable/numpy_2_0_migration_guide.html",
        examples=(
            "ValueError: numpy.dtype size changed, may indicate binary incompatibility. Expected 96 from C header, got 88 from PyObject",
            "RuntimeError: Numpy is not available",
        ),
    ),
    Rule(
        category="syntax-error",
        title="A file of the program does not parse",
        cause="[[{what}]]",
        signs=(raised(types=("SyntaxError", "IndentationError", "TabError"), detail=r"Error: (?P<what>[^\n]{1,200})"),),
        weight=66,
        suggestions=(
            do(
                "Mend the line that is named; for new syntax (match, `X | Y` types) take a newer Python (--python).",
                in_code=True,
            ),
        ),
        docs="https://docs.python.org/3/tutorial/errors.html#syntax-errors",
        examples=('  File "/home/me/train.py", line 3\n    def f(:\n          ^\nSyntaxError: invalid syntax',),
    ),
    Rule(
        category="user-exception",
        title="The program raised {type}",
        cause="[[{words} ]][[It says: {message}]]",
        weight=35,
        suggestions=(
            do("Take back the setting that is refused here.", computed="take_back"),
            do("Let the Trainer write elsewhere.", computed="another_folder"),
            do("Look at the line of the program that is named.", in_code=True),
        ),
        docs="https://docs.python.org/3/library/exceptions.html",
    ),
)

EXCEPTION_WORDS = {
    "KeyError": "A key is missing from a dictionary, a batch or a config.",
    "AttributeError": "An object has no attribute of this name: a typing error, or something is None that should not be.",
    "IndexError": "A sequence is shorter than the index asked for.",
    "FileNotFoundError": "A file or folder is not there; relative paths count from the folder that the run was started in.",
    "TypeError": "A value is of another type, or a function got other arguments, than expected.",
    "ValueError": "A value is not one that is allowed.",
    "AssertionError": "A condition that the program or a library insists on does not hold.",
    "NameError": "A name is used that was never set.",
    "UnboundLocalError": "A variable is used before it is set.",
    "ZeroDivisionError": "Something is divided by zero.",
    "NotImplementedError": "A method that must be written is not, or an operation is not supported here.",
    "RecursionError": "A function calls itself without end.",
    "UnicodeDecodeError": "A file is not in the encoding that it is read with.",
    "ImportError": "A module could not be imported.",
    "StopIteration": "An iterator had no more elements.",
    "OverflowError": "A number is too large for its type.",
    "NotADirectoryError": "A file stands where a folder is expected.",
    "IsADirectoryError": "A folder stands where a file is expected.",
    "JSONDecodeError": "A text is not valid JSON.",
    "CalledProcessError": "A command that the program started failed.",
    "TimeoutError": "Something did not answer in time.",
}
"""Plain words for exceptions of Python, by the type's own name."""
