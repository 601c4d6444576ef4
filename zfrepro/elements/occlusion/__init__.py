"""Figure 7: what a network loses where a grey square covers the image (section 4.2)."""
