"""Linear classifiers of all classes at once: softmax, linear SVMs and logistic regressions.

Each minimises |W|^2 / 2 + strength * (sum of its loss over images) by L-BFGS from zero weights, so
that nothing is random. The bias has no penalty. All take `presence`, (n, classes): 1 where an image
shows the class, -1 where it does not, 0 where it counts neither way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from zfrepro.transfer.rows import Rows

ITERATIONS = 300
TOLERANCE = 1e-6  # of the gradient's largest entry, per image, in the variables that are searched
CHOOSING = 1e-5  # the same while strengths are compared, which are far apart
DIRECTIONS = 32  # in which the images vary most
ROUNDS = 3  # of the power iteration that finds them
PARTS = 3  # of the cross-validation
CLASSES = 64  # that are searched at a time where each stands for itself: L-BFGS keeps 40 copies
STEPS = 10  # that L-BFGS remembers, two copies of the weights each
STEPS_BYTES = 96 << 20  # and at most so much of them: of a softmax over 256 classes, three

Signs = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Loss = Callable[[Tensor, Tensor], Tensor]
Score = Callable[[Floats, Signs], float]


def softmax(scores: Tensor, presence: Tensor) -> Tensor:
    """Cross-entropy: an image of k classes wants 1/k of each, and one of none does not count."""
    wanted = (presence > 0).to(scores.dtype)
    shares = wanted / wanted.sum(1, keepdim=True).clamp(min=1)
    return -(shares * scores.log_softmax(1)).sum()


def svm(scores: Tensor, presence: Tensor) -> Tensor:
    """The squared hinge loss, each class against the rest (as scikit-learn's LinearSVC)."""
    return (presence.abs() * (1 - presence * scores).clamp(min=0).square()).sum()


def logistic(scores: Tensor, presence: Tensor) -> Tensor:
    """Logistic regression, each class against the rest."""
    return (presence.abs() * functional.softplus(-presence * scores)).sum()


LOSSES: dict[str, Loss] = {"softmax": softmax, "svm": svm, "logistic": logistic}
# About the second derivative by a score, which decides how fast `fit` is and not what it finds
CURVATURES: dict[Loss, float] = {softmax: 0.02, svm: 1.0, logistic: 0.1}


@dataclass(frozen=True)
class Linear:
    """Weights (d, classes) and bias (classes,)."""

    weights: Tensor
    bias: Tensor

    def scores(self, features: Rows) -> Floats:
        """(n, classes) of features (n, d), which are where the weights are."""
        scores: Floats = (features.times(self.weights) + self.bias).cpu().numpy()
        return scores

    def part(self, first: int, last: int) -> "Linear":
        """Some of the classes."""
        return Linear(self.weights[:, first:last], self.bias[first:last])


class Variables:
    """Weights as variables in which the problem is about as curved one way as another.

    Images vary a thousand times more in some directions than in others, and so does the curvature,
    1 / strength + curvature * energy: in the weights as they are L-BFGS takes five times as long.
    """

    def __init__(self, features: Rows, strength: float, curvature: float, used: int) -> None:
        self._directions, energies = leading(features)
        rest = 1 / strength + curvature * float(energies[-1])
        self._factors = (rest / (1 / strength + curvature * energies)).sqrt()[:, None]
        self._of_bias = (rest / (1 / strength + curvature * used)) ** 0.5

    def of(self, model: Linear) -> list[Tensor]:
        stretched = self._scaled(model.weights, 1 / self._factors)
        return [stretched, model.bias / self._of_bias]

    def model(self, weights: Tensor, bias: Tensor) -> Linear:
        return Linear(self._scaled(weights, self._factors), bias * self._of_bias)

    def _scaled(self, weights: Tensor, factors: Tensor) -> Tensor:
        along = self._directions.T @ weights
        return torch.addmm(weights, self._directions, (factors - 1) * along)


def leading(features: Rows, count: int = DIRECTIONS) -> tuple[Tensor, Tensor]:
    """The directions (d, k) in which images (n, d) vary most, and their energies (k,), falling.

    By power iteration, from images spread over all: near enough, and nothing is random.
    """
    count = min(count, *features.shape)
    spread = torch.linspace(0, len(features) - 1, count).long()
    chosen = features.zeros(len(features), count)
    chosen[spread, torch.arange(count)] = 1
    basis = features.summed(chosen)
    for _ in range(ROUNDS):
        basis = torch.linalg.qr(features.summed(features.times(basis)))[0]
    _, values, rotation = torch.linalg.svd(features.times(basis), full_matrices=False)
    return basis @ rotation.T, values.square()


def fit(
    features: Rows,
    presence: Signs,
    loss: Loss,
    strength: float,
    start: Linear | None = None,
    tolerance: float = TOLERANCE,
) -> Linear:
    """The classifier of `features` (n, d); `start` is where to look first."""
    step = presence.shape[1] if loss is softmax else CLASSES
    found = []
    for k in range(0, presence.shape[1], step):
        part, first = presence[:, k : k + step], start and start.part(k, k + step)
        found.append(_fit(features, part, loss, strength, first, tolerance))
    return Linear(torch.cat([f.weights for f in found], 1), torch.cat([f.bias for f in found]))


def _fit(
    features: Rows,
    presence: Signs,
    loss: Loss,
    strength: float,
    start: Linear | None,
    tolerance: float,
) -> Linear:
    signs = torch.from_numpy(presence).to(features.device)
    used = int((signs != 0).any(1).sum())
    if start is None:
        classes = signs.shape[1]
        start = Linear(features.zeros(features.shape[1], classes), features.zeros(classes))
    variables = Variables(features, strength, CURVATURES[loss], used)
    searched = variables.of(start)
    weights_bytes = sum(each.nbytes for each in searched)
    optimiser = torch.optim.LBFGS(
        searched, max_iter=ITERATIONS, tolerance_grad=tolerance, tolerance_change=1e-9,
        history_size=_remembered(weights_bytes), line_search_fn="strong_wolfe",
    )  # fmt: skip

    @torch.no_grad()
    def objective() -> Tensor:
        model = variables.model(*searched)
        # all per image, so that the tolerance means the same for any number of them
        share = 1 / (strength * used)
        value: Tensor = torch.linalg.vector_norm(model.weights).square() * share / 2
        weights, bias = model.weights * share, torch.zeros_like(model.bias)  # gradients by them
        for rows, block in features:  # some at a time: the scores of all weigh as much as weights
            scores = torch.addmm(model.bias, block, model.weights[: block.shape[1]])
            part, slopes = _differentiated(loss, scores, signs[rows].to(scores))
            value += part / used
            weights[: block.shape[1]].addmm_(block.T, slopes, alpha=1 / used)
            bias += slopes.sum(0) / used
        # the model is a symmetric map of what is searched, so that the gradients go the same way
        gradients = variables.model(weights, bias)
        for each, gradient in zip(searched, (gradients.weights, gradients.bias), strict=True):
            each.grad = gradient
        return value

    optimiser.step(objective)  # type: ignore[no-untyped-call]
    # it is part of a reference cycle: its twenty copies would stay beside those of the next fit
    optimiser.state.clear()
    optimiser.zero_grad()
    return variables.model(*searched)


def _differentiated(loss: Loss, scores: Tensor, signs: Tensor) -> tuple[Tensor, Tensor]:
    """The loss and its derivatives by the scores, (n, classes)."""
    with torch.enable_grad():
        value = loss(scores.requires_grad_(), signs)
        (slopes,) = torch.autograd.grad(value, scores)
    return value.detach(), slopes


def _remembered(weights_bytes: int) -> int:
    return max(3, min(STEPS, STEPS_BYTES // (2 * weights_bytes)))


def choose(
    features: Rows,
    presence: Signs,
    parts: Ints,
    loss: Loss,
    strengths: Sequence[float],
    score: Score,
) -> float:
    """The strength with the best mean `score` when each part is held out in turn.

    Of equal ones the smallest, which is the smoothest classifier. No other image than those to
    train on is seen.

    Args:
        parts: (n,) which part each image belongs to; where there is only one, nothing can be held
            out, and the middle one of the strengths is taken.
    """
    if len(np.unique(parts)) < 2:
        return strengths[len(strengths) // 2]
    found = np.zeros(len(strengths))
    for part in np.unique(parts):
        held = parts == part
        model, shown = None, np.where(held[:, None], 0, presence).astype(np.int8)
        for i, strength in enumerate(strengths):
            model = fit(features, shown, loss, strength, model, CHOOSING)
            found[i] += score(model.scores(features)[held], presence[held])
    return strengths[int(found.argmax())]


def parts_of(presence: Signs, count: int = PARTS) -> Ints:
    """(n,): parts of equal size within every class, by the order of its images.

    An image of several classes belongs to the rarest of them. With fewer images than `count` in the
    smallest class there are as many parts as it has images.
    """
    shown = presence > 0
    sizes = shown.sum(0)
    count = min(count, int(sizes[sizes > 0].min()))
    rarest = np.where(shown, sizes, len(presence) + 1).argmin(1)
    parts = np.zeros(len(presence), dtype=np.int64)
    for label in np.unique(rarest):
        members = np.flatnonzero(rarest == label)
        parts[members] = np.arange(len(members)) % count
    return parts
