"""Figures and tables as files: one look, contrast and grids of pictures, CSV and Markdown."""
