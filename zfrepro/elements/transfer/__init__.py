"""Tables 4 to 7 and figure 9: a network's features on other sets (sections 5.2 and 5.3)."""
