"""State dicts as people have them: inside a checkpoint, with wrappers' names before the layers'."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

WRAPPERS = {"module", "_orig_mod"}  # of DataParallel and of torch.compile: anywhere in a name
HOLDERS = {"model", "net", "network"}  # what people call the attribute that holds the whole net
INSIDE = ("state_dict", "model_state_dict", "model", "net")  # keys of a checkpoint

log = logging.getLogger(__name__)

State = Mapping[str, Any]


def unpacked(content: State) -> State:
    """The state dict in a file's content, which may be a checkpoint with other things."""
    if any(isinstance(value, Tensor) and "." in str(key) for key, value in content.items()):
        return content
    states = [content[key] for key in INSIDE if isinstance(content.get(key), dict)]
    return states[0] if states else content


def bare(state: State, path: Path) -> State:
    """`state` with layers' own names; what was taken off is said in a warning.

    A name that only some have in front stays, and all where two would fall together.
    """
    found = {
        ".".join(word for word in key.split(".") if word not in WRAPPERS): value
        for key, value in state.items()
    }
    while len(first := {key.partition(".")[0] for key in found}) == 1 and first <= HOLDERS:
        found = {key.partition(".")[2]: value for key, value in found.items()}
    if len(found) < len(state) or found.keys() == state.keys():
        return state
    old, new = next((a, b) for a, b in zip(state, found, strict=True) if a != b)
    log.warning("%s: its tensor %s is taken for %s, and others likewise", path, old, new)
    return found
