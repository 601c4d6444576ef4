"""What `make install` asks of the machine before it fetches gigabytes; one line says what lacks.

Plain Python, since it is any Python that runs it.
"""

import importlib.util
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEEDED = 8  # GB: 7 of .venv, and the study's results
TRIED = ("Linux", (3, 11))  # where everything is tested
NO_SCM = "[core]\n    no_scm = true\n"


def main() -> None:
    system, version = platform.system(), sys.version_info[:2]
    if system not in ("Linux", "Darwin"):
        sys.exit("error: zfrepro runs on Linux and macOS; on Windows, in WSL (`wsl --install`)")
    if version < (3, 11):
        sys.exit(
            f"error: this is Python {platform.python_version()}, and 3.11 or newer is needed: "
            "make PYTHON=python3.11 ..."
        )
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        sys.exit(
            "error: this Python cannot make environments: `apt install python3-venv`, or another "
            "by make PYTHON=..."
        )
    free = shutil.disk_usage(ROOT).free / 1e9
    if not (ROOT / ".venv").exists() and free < NEEDED:
        sys.exit(f"error: {ROOT} has {free:.1f} GB left, and {NEEDED} are needed: free some first")
    check_git()
    tried = "" if (system, version) == TRIED else ": not tried; Linux with Python 3.11 is"
    print(f"{system}, Python {platform.python_version()}{tried}")


def check_git() -> None:
    """Lets DVC work without git where this is a download and no clone."""
    if (ROOT / ".git").exists() and shutil.which("git") is None:
        sys.exit("error: git is needed: `apt install git`, on macOS `xcode-select --install`")
    local = ROOT / ".dvc" / "config.local"
    if not in_git() and not local.exists():
        local.write_text(NO_SCM, encoding="utf-8")
        print(
            "no git repository: DVC does without, but for `dvc exp`. To have one: `git init`, and "
            "`rm .dvc/config.local`"
        )


def in_git() -> bool:
    if shutil.which("git") is None:
        return False
    asked = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--git-dir"], capture_output=True, check=False
    )
    return asked.returncode == 0


if __name__ == "__main__":
    main()
