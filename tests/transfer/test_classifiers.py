"""The classifiers against scikit-learn's and against numbers worked out by hand."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from zfrepro.transfer import classifiers
from zfrepro.transfer.classifiers import LOSSES, choose, fit, parts_of
from zfrepro.transfer.rows import Rows

CLASSES, IMAGES, NUMBERS = 4, 80, 12


@pytest.fixture
def features() -> Rows:
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(CLASSES, NUMBERS, generator=generator, dtype=torch.float64)
    noise = torch.randn(IMAGES, NUMBERS, generator=generator, dtype=torch.float64)
    found = 0.6 * centres[torch.arange(IMAGES) % CLASSES] + noise
    return Rows(torch.split(found, 30))


def whole(features: Rows) -> np.ndarray:
    return torch.cat(list(features.blocks)).numpy()


LABELS = np.arange(IMAGES) % CLASSES
PRESENCE = np.where(LABELS[:, None] == np.arange(CLASSES), 1, -1).astype(np.int8)


@pytest.mark.parametrize("strength", [0.01, 1.0, 100.0])
def test_softmax_is_scikit_learns(features: Rows, strength: float) -> None:
    model = fit(features, PRESENCE, LOSSES["softmax"], strength)
    theirs = LogisticRegression(C=strength, tol=1e-10, max_iter=5000).fit(whole(features), LABELS)
    np.testing.assert_allclose(
        torch.from_numpy(model.scores(features)).softmax(1),
        theirs.predict_proba(whole(features)),
        atol=1e-3,
    )


@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_the_svm_is_scikit_learns(
    features: Rows, strength: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifiers, "CLASSES", 3)  # at a time
    model = fit(features, PRESENCE, LOSSES["svm"], strength)
    # theirs has a penalty on the bias too, less of it the larger the intercept's scale
    theirs = LinearSVC(C=strength, dual=False, tol=1e-10, intercept_scaling=100, max_iter=50_000)
    theirs.fit(whole(features), LABELS)
    found = model.scores(features)
    np.testing.assert_allclose(found, theirs.decision_function(whole(features)), atol=5e-3)


@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_logistic_regressions_leave_out_what_counts_neither_way(
    features: Rows, strength: float
) -> None:
    presence = PRESENCE.copy()
    presence[np.arange(0, IMAGES, 7), np.arange(0, IMAGES, 7) % 3] = 0
    found = fit(features, presence, LOSSES["logistic"], strength).scores(features)
    for k in range(CLASSES):
        counts = presence[:, k] != 0
        theirs = LogisticRegression(C=strength, tol=1e-10, max_iter=5000)
        theirs.fit(whole(features)[counts], presence[counts, k])
        expected = theirs.decision_function(whole(features))
        np.testing.assert_allclose(found[:, k], expected, atol=1e-2)


def test_an_image_of_two_classes_wants_half_of_each() -> None:
    scores = torch.tensor([[2.0, 1.0, 0.0]])
    each = -scores.log_softmax(1)[0]
    both = classifiers.softmax(scores, torch.tensor([[1, 1, -1]]))
    assert both == pytest.approx(float(each[0] + each[1]) / 2)
    assert classifiers.softmax(scores, torch.tensor([[0, 0, -1]])) == 0  # none of them counts


def test_the_strength_is_chosen_by_images_held_out(features: Rows) -> None:
    seen: list[int] = []

    def score(scores: np.ndarray, presence: np.ndarray) -> float:
        seen.append(len(scores))
        assert (presence == PRESENCE[len(seen) and parts == (len(seen) - 1) // 3]).all()
        return {0: 50.0, 1: 80.0, 2: 80.0}[(len(seen) - 1) % 3]

    parts = parts_of(PRESENCE)
    found = choose(features, PRESENCE, parts, LOSSES["softmax"], [0.1, 1.0, 10.0], score)
    assert found == 1.0  # of equal ones the smoother
    assert sum(seen) == 3 * IMAGES
    assert choose(features, PRESENCE, parts * 0, LOSSES["svm"], [0.1, 1.0, 10.0], score) == 1.0
    assert sum(seen) == 3 * IMAGES  # nothing could be held out


def test_what_is_held_out_decides_nothing_of_the_classifier(features: Rows) -> None:
    held = PRESENCE.copy()
    held[60:] = 0
    for name, loss in LOSSES.items():
        masked = fit(features, held, loss, 1.0)
        without = fit(Rows(features.blocks[:2]), PRESENCE[:60], loss, 1.0)
        np.testing.assert_allclose(masked.weights, without.weights, atol=1e-3, err_msg=name)


def test_parts_hold_every_class_alike() -> None:
    parts = parts_of(PRESENCE)
    for k in range(CLASSES):
        assert np.bincount(parts[k::CLASSES]).tolist() == [7, 7, 6]
    assert set(parts_of(PRESENCE[:8])) == {0, 1}  # two images per class
    assert set(parts_of(PRESENCE[:4])) == {0}
