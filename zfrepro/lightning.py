"""Lightning, imported in half the time.

It brings torchmetrics, which loads torchvision's detectors, SciPy, Matplotlib and transformers
wherever they are installed, for metrics that this project does not use: seconds at the start of
every training.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata

from lightning_utilities.core import imports

UNUSED = ("matplotlib", "scipy", "torchvision", "transformers")


@contextmanager
def absent(*packages: str) -> Iterator[None]:
    """Has Lightning's libraries find that `packages` are not installed, while the block runs."""
    ask = getattr(imports, "_version", metadata.version)

    def version(package: str) -> str:
        if package in packages:
            raise metadata.PackageNotFoundError(package)
        return str(ask(package))

    loaded = {name: sys.modules[name] for name in packages if name in sys.modules}
    for name in packages:
        sys.modules[name] = None  # type: ignore[assignment]  # which is how Python bars an import
    setattr(imports, "_version", version)  # noqa: B010  private, so mypy does not know it
    try:
        yield
    finally:
        setattr(imports, "_version", ask)  # noqa: B010
        for name in packages:
            del sys.modules[name]
        sys.modules.update(loaded)


try:
    with absent(*UNUSED):
        import torchmetrics
except ImportError:  # of something that cannot do without them: with them then, and slower
    import torchmetrics  # noqa: F401
import pytorch_lightning as pl  # noqa: E402

__all__ = ["pl"]
