"""Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", as a pipeline."""

import sys
from io import TextIOWrapper

if sys.platform == "win32":
    sys.exit("error: zfrepro runs on Linux and macOS; on Windows, in WSL (`wsl --install`)")

# a terminal of latin-1 shows `?` for a letter that it lacks; no command stops there
if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
    sys.stdout.reconfigure(errors="replace")
