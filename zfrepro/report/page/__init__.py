"""The report as one page, made from `results/`.

It opens from a disk without a network: styles, script and pictures are inside, and a content
security policy forbids it to load anything else. Full-size pictures, tables and configurations are
links beside it.
"""
