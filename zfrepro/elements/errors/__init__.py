"""Tables 2 and 3: the errors of every network and ensemble (section 5.1)."""
