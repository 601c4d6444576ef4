"""Figure 2: what excites the maps of each layer, and where in the images (section 4)."""
