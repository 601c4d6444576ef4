"""Transfer to other image sets (section 4.3 of the paper)."""
