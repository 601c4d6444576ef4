"""The images of the tests of training, and its folder of a run."""

from tests.training.conftest import folder, tiny, tiny_config

__all__ = ["folder", "tiny", "tiny_config"]
