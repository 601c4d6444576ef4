"""Figure 4: what maps look for after some epochs, and when that settles (section 4)."""
