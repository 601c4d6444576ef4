"""Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", as a pipeline."""
