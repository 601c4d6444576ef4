"""The number format that a training computes in."""

PRECISIONS = ("32-true", "bf16-mixed")


def choose_precision(wish: str, accelerator: str) -> str:
    """`auto` is bf16-mixed on a GPU that computes in bf16, else 32-true.

    On a CPU bf16 pays for wide nets alone, and what the CPU has is no measure of it.

    Args:
        wish: `training.precision`.
        accelerator: "cpu", "gpu" or "auto".
    """
    if wish != "auto":
        return wish
    if accelerator == "cpu":
        return "32-true"
    import torch  # noqa: PLC0415  seconds, which a plan for a CPU need not wait

    fast = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16-mixed" if fast else "32-true"
