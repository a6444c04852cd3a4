"""`python -m lightning_tui`: the same as the `lightning-tui` command."""

import sys
from pathlib import Path

# `-m` puts the folder one stands in first, where a `json.py` of the program's would be taken for the library's.
if not getattr(sys.flags, "safe_path", False) and Path(sys.path[0]) not in Path(__file__).parents:
    del sys.path[0]

from lightning_tui.cli import main

if __name__ == "__main__":
    sys.exit(main())
