"""Table 1 and figure 8: whether a part means the same in different faces (section 4.3)."""
