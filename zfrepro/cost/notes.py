"""What the reader of a plan has to know, to trust its numbers no further than they go."""

from collections.abc import Collection

from zfrepro.cores import cores
from zfrepro.cost.counts import TRAINING
from zfrepro.cost.done import Stages
from zfrepro.cost.gpus import EFFICIENCY
from zfrepro.cost.speed import Speed

COUNTED = f"""\
FLOP: of convolutions, full layers and matrix products; a multiply-add is two, a training step
  {TRAINING} forward passes.
weights: memory of weights, gradients and momenta. activations: an estimate, one copy of each
  layer's output for one device's part of a batch; without training, what is in memory at a time.
disk: what stays, raw images not counted; checkpoints go when their training has finished.
training: as `seconds` of run.json; whole stage: with its start, its checkpoints and its filing,
  and of trainings that are made side by side (trainer.together) each one's share of that time.
measured: for some seconds on this machine ({cores()} cores), which should have nothing else to do
  meanwhile; images are prepared on its CPU, figures are made where networks are trained, on one
  device and in 32 bits.
  Stages that train nothing are counted by passes, products and bytes: right within a factor of
  two."""
SCALED = (
    "scaled: by FLOPs from the first row of its family, since its steps take too long to measure."
)
NAME_A_GPU = "gpu=NAME estimates a GPU instead: gpu=a100, or gpu=a100 gpus=8."
FINISHED = (
    "A training that is `done` is found again, in seconds; a changed stage may change the next."
)


def explain(speeds: Collection[Speed], gpu: str | None, at_once: int = 1) -> str:
    """How the numbers of a table came about whose trainings have these `speeds`.

    Args:
        at_once: trainings that read images at a time, each on GPUs of its own.
    """
    parts = [COUNTED]
    if gpu is not None:
        fastest = at_once / min(speed.train_image for speed in speeds)
        parts.append(
            f"{gpu}: an ESTIMATE, right within a factor of two: published peaks (dense) times "
            f"{EFFICIENCY['bf16']:g} in bf16,\n"
            f"  {EFFICIENCY['fp32']:g} in fp32; it supposes that up to {fastest:,.0f} images a "
            "second can be read."
        )
    if any(speed.how == "scaled" for speed in speeds):
        parts += [SCALED, NAME_A_GPU]
    return "\n".join(parts)


def redone(status: Stages) -> str:
    """What `dvc repro` would run."""
    if status.changed is None:
        return f"What `dvc repro` would redo is not known: {status.reason}"
    rows = sum(stage.startswith("train@") for stage in status.changed)
    others = sorted(stage for stage in status.changed if not stage.startswith("train@"))
    named = [*([f"train@ of {rows} rows"] if rows else []), *others]
    return f"`dvc repro` would run: {', '.join(named) or 'nothing'}.\n{FINISHED}"


def another_size(profile: str) -> str:
    """That `dvc repro` works at the size that params.yaml says, and no other."""
    return (
        "`dvc repro` works at the size in params.yaml, and this is another: "
        f"`dvc exp run -S profile={profile}` would do\nwhat is `to do`."
    )
