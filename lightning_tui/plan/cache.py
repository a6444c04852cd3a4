"""Where answers are kept that took long to get: files in the cache folder of the user. One that is gone is no loss."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from lightning_tui.files import write_whole


def cached_file(name: str) -> Path:
    """The file of that name in our cache folder, whether it is there or not."""
    return Path(platformdirs.user_cache_dir("lightning-tui")) / name


def write_cached(path: Path, data: bytes) -> None:
    """Write whole or not at all. A cache that cannot be written is done without."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, data)
    except OSError:
        return
