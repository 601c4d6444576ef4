"""Shared images: against plain loops, and on planted copies."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from zfrepro import config
from zfrepro.data import overlap
from zfrepro.data.decode import decode, fit
from zfrepro.data.listing import ArrayListing, Source
from zfrepro.data.miniature import duplicates
from zfrepro.data.miniature.writer import World, file_of
from zfrepro.data.overlap import GREY, OverlapError, Rule
from zfrepro.data.prepare import prepare
from zfrepro.data.store import PreparedSet

RULE = Rule(**config.compose_analysis()["overlap"])
SETTINGS = {"filter": "bilinear", "storage": "uint8", "jpeg_quality": 90, "workers": 1}


def smooth(rng, count, side=GREY):
    """Blurred noise: images that have something in common."""
    noise = ndimage.gaussian_filter(rng.normal(0, 1, (count, side, side)), (0, 4, 4))
    noise = (noise - noise.min()) / (noise.max() - noise.min())
    return (255 * noise).astype(np.uint8)


def prepared_set(folder, images, digest=None):
    listing = ArrayListing(
        [f"{i}.png" for i in range(len(images))], np.arange(len(images)) % 2, images
    )
    source = Source("test", (("a", "a"), ("b", "b")), {"train": listing, "val": listing.part(0, 4)})
    prepare(source, folder, image_size=images.shape[1], **SETTINGS, progress=False)
    return PreparedSet.open(folder)


def correlation(a, b):
    return np.corrcoef(a.ravel().astype(float), b.ravel().astype(float))[0, 1]


def areas_by_hand(picture, top, left, bottom, right, side):
    """Mean of each of side x side areas of a part of a picture, from a fine grid of samples."""
    fine = np.kron(picture.astype(float), np.ones((40, 40)))
    rows = np.round(np.linspace(top, bottom, side + 1) * 40).astype(int)
    columns = np.round(np.linspace(left, right, side + 1) * 40).astype(int)
    return np.array([
        [fine[r0:r1, c0:c1].mean() for c0, c1 in pairwise(columns)]
        for r0, r1 in pairwise(rows)
    ])  # fmt: skip


def test_greys_are_mean_levels():
    images = np.random.default_rng(0).integers(256, size=(3, 64, 64, 3), dtype=np.uint8)
    by_hand = images.reshape(3, 32, 2, 32, 2, 3).mean(axis=(2, 4, 5))
    assert np.abs(overlap.greys(images) - by_hand).max() <= 0.5 + 1e-4


def test_a_product_of_vectors_is_a_correlation():
    greys = smooth(np.random.default_rng(1), 6)
    vectors = overlap.vectors(greys, 8)
    small = greys.reshape(6, 8, 4, 8, 4).mean(axis=(2, 4))
    for i in range(6):
        for j in range(6):
            assert vectors[i] @ vectors[j] == pytest.approx(
                correlation(small[i], small[j]), abs=1e-5
            )


def test_an_image_of_one_grey_is_like_no_other():
    flat = np.full((2, GREY, GREY), 90, dtype=np.uint8)
    assert not overlap.vectors(flat, 12).any()
    assert len(overlap.shared([flat], flat, RULE).sources) == 0
    assert overlap.aligned(flat, smooth(np.random.default_rng(0), 2), 12).max() < 1e-4


def test_alignment_tries_every_crop_of_either():
    first, second = smooth(np.random.default_rng(2), 2)
    whole = [areas_by_hand(each, 0, 0, GREY, GREY, 8) for each in (first, second)]
    best = -1.0
    for cropped, other in ((first, whole[1]), (second, whole[0])):
        for top in overlap.CUTS:
            for bottom in overlap.CUTS:
                for left in overlap.CUTS:
                    for right in overlap.CUTS:
                        ends = (GREY * each for each in (top, left, 1 - bottom, 1 - right))
                        best = max(best, correlation(areas_by_hand(cropped, *ends, 8), other))
    assert overlap.aligned(first[None], second[None], 8)[0] == pytest.approx(best, abs=1e-4)


def test_all_pairs_are_those_of_a_plain_loop(monkeypatch):
    monkeypatch.setattr(overlap, "BLOCK", 7)
    monkeypatch.setattr(overlap, "ALIGNED", 3)
    rng = np.random.default_rng(3)
    sources, others = smooth(rng, 30), smooth(rng, 17)
    others[4], others[11] = sources[8], sources[29]
    rule = Rule(side=8, candidate=0.1, threshold=0.55)
    small = [each.reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4)) for each in (sources, others)]
    expected = {
        (i, j)
        for i in range(30)
        for j in range(17)
        if correlation(small[0][i], small[1][j]) >= rule.candidate
        and overlap.aligned(sources[i : i + 1], others[j : j + 1], 8)[0] >= rule.threshold
    }
    found = overlap.shared([sources[i : i + 7] for i in range(0, 30, 7)], others, rule)
    assert set(zip(found.sources.tolist(), found.others.tolist(), strict=True)) == expected
    assert len(expected) > 4
    assert {(8, 4), (29, 11)} <= expected
    assert (np.diff(found.correlations) <= 0).all()


def test_a_threshold_that_takes_everything_is_an_error(monkeypatch):
    monkeypatch.setattr(overlap, "MOST", 20)
    greys = smooth(np.random.default_rng(4), 9)
    with pytest.raises(OverlapError, match=r"more than 20 pairs .* raise overlap\.threshold"):
        overlap.shared([greys], greys, Rule(side=8, candidate=-1, threshold=-1))


def test_thumbnails_are_kept_a_block_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(overlap, "BLOCK", 4)
    images = np.random.default_rng(5).integers(256, size=(10, 32, 32, 3), dtype=np.uint8)
    prepared = prepared_set(tmp_path / "set", images)
    whole = overlap._make
    made = []

    def killed(*task):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(task)
        return whole(*task)

    monkeypatch.setattr(overlap, "_make", killed)
    with pytest.raises(KeyboardInterrupt):
        overlap.collect(prepared, "train", tmp_path / "greys", progress=False)
    monkeypatch.setattr(overlap, "_make", lambda *task: made.append(task) or whole(*task))
    paths = overlap.collect(prepared, "train", tmp_path / "greys", progress=False)
    assert len(made) == 3  # the two that were whole have not been made again
    greys = np.concatenate([overlap.read(path) for path in paths])
    np.testing.assert_array_equal(greys, overlap.greys(images))


def test_planted_copies_are_found_and_nothing_else():
    """The measurement that the thresholds of conf/analysis.yaml were chosen by, in small."""

    def small(image):
        return np.asarray(fit(image, 64, "bilinear"))

    world, rng = World(7, 10, 150, 10, 64), np.random.default_rng(0)
    originals = duplicates.originals(rng, world, 150)
    copies = [duplicates.copy(rng, world, each, i) for i, each in enumerate(originals[:60])]
    sources = [decode(file_of(world, "train", *each).content).image for each in originals]
    shown = [decode(each.content).image for each in copies]
    strangers = [
        decode(file_of(World(8, 10, 150, 10, 64), "train", *each).content).image
        for each in originals
    ]
    sets = (sources, shown, strangers)
    greys = [overlap.greys(np.stack([small(image) for image in images])) for images in sets]
    found = overlap.shared([greys[0]], np.concatenate(greys[1:]), RULE)
    assert set(zip(found.sources.tolist(), found.others.tolist(), strict=True)) == {
        (i, i) for i in range(60)
    }
