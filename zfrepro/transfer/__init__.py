"""Features of a net trained on one set, classified on another (section 4.2 and tables 4-7)."""
