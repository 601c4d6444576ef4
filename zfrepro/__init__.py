"""Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", as a pipeline."""

import sys

if sys.platform == "win32":
    sys.exit("error: zfrepro runs on Linux and macOS; on Windows, in WSL (`wsl --install`)")
