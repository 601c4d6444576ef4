"""Where a trained network runs."""

import torch


def device_of(accelerator: str) -> torch.device:
    """The first GPU, unless `accelerator` (of the section `trainer`) is "cpu" or there is none.

    What ranks images, or is compared with published numbers, is computed there in whole single
    precision: TF32 keeps 10 bits of a number, and would reorder activations that lie close.
    """
    if accelerator == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    return torch.device("cuda")
