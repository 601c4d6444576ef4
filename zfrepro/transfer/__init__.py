"""Features of a net trained on one set, classified on another (sections 5.2, 5.3; tables 4-7)."""
