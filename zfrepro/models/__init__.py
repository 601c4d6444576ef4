"""Networks as tables of layers. `geometry` needs no torch; the other modules do."""
