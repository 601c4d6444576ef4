"""The stages of `dvc.yaml`: a script of the same name, or `element` for those of an element."""

import atexit
import gc

# Importing torch makes objects by the hundred thousand, of which none is garbage. To look for it at
# every 700th of them, and among all of them at the end, takes two seconds of each stage.
gc.set_threshold(100_000)
atexit.register(gc.freeze)
