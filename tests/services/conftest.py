"""The runs of these tests are started as those of `launch` are."""

from tests.launch.conftest import runs

__all__ = ["runs"]
