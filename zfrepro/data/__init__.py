"""From raw images of any kind to batches of crops."""
