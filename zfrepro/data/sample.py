"""Which images an analysis looks at."""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def stratified_sample(labels: Ints, count: int, seed: int) -> Ints:
    """At most `count` of the images with these labels, spread over the classes; in random order.

    The first k of them are of k classes, as long as there are so many. The same for each `seed`.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    ordered = labels[by_class]
    rank = np.arange(len(labels)) - np.searchsorted(ordered, ordered)  # within the class
    turn = rng.permutation(ordered.max(initial=0) + 1)[ordered]
    chosen: Ints = by_class[np.lexsort((turn, rank))][:count]
    return chosen
