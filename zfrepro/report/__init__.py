"""Tables and figures, made from files of results alone."""
