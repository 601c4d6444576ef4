"""Figure 5: what moving, enlarging and turning an image does to its features (section 4.1)."""
