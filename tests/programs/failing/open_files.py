"""A dataset of many files that are opened and never closed."""

from pathlib import Path


class Pictures:
    def __init__(self, folder):
        self.paths = [Path(folder, f"{index:04}.png") for index in range(2000)]
        Path(folder).mkdir()
        self.files = [path.open("wb") for path in self.paths]  # here


Pictures("pictures")
