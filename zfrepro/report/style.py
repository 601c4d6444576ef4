"""How every picture looks: matplotlib without a screen, and the colours of ours and the paper's."""

import matplotlib as mpl

mpl.use("Agg")  # stages have no screen

import matplotlib.pyplot as plt

PAPER, OURS = "#9aa5b1", "#1f5fa8"

__all__ = ["OURS", "PAPER", "plt"]
