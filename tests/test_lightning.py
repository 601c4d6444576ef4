"""Lightning is imported beside whatever else an environment holds."""

import os
import subprocess
import sys
from pathlib import Path

from zfrepro.config import ROOT


def test_packages_that_need_torchvision_do_not_stop_it(tmp_path: Path) -> None:
    """As transformers does, which torchmetrics imports wherever it is installed."""
    package, facts = tmp_path / "transformers", tmp_path / "transformers-5.0.0.dist-info"
    package.mkdir()
    (package / "__init__.py").write_text("import torchvision.transforms\n__version__ = '5.0.0'\n")
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: transformers\nVersion: 5.0.0\n")
    done = subprocess.run(
        [sys.executable, "-c", "import zfrepro.lightning, sys; print('scipy' in sys.modules)"],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr
