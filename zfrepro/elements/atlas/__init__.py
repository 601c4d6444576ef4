"""Figure 2 of every map, as pages that open from disk (section 4)."""
