"""A local page on which any network, any image and any map can be explored."""
