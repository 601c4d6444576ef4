"""Training images that the transfer sets hold too (section 5.2)."""
