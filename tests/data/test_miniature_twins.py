"""The rendered twins of the transfer sets: layouts, planted copies, determinism, restarts."""

import hashlib
import io
import logging
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from torchvision.datasets import VOCDetection

from zfrepro.data.decode import decode
from zfrepro.data.listing import SourceError
from zfrepro.data.miniature import duplicates, scene, tree, voc
from zfrepro.data.miniature.caltech import CaltechWorld
from zfrepro.data.miniature.canvas import Box
from zfrepro.data.miniature.kinds import (
    CALTECH101_LIKE,
    CALTECH256_LIKE,
    IMAGENET_LIKE,
    VOC_LIKE,
)
from zfrepro.data.miniature.voc import VocWorld
from zfrepro.data.miniature.writer import World, render
from zfrepro.data.sources import open_source
from zfrepro.data.sources.voc import objects_of

SOURCE = World(seed=3, classes=6, train_images=30, val_images=6, image_size=32)
CALTECH = CaltechWorld("caltech101", 1, 12, 4, 3, 32, SOURCE)
VOC = VocWorld(1, 36, 12, 3, 32, SOURCE)


def data(name, root, **counts):
    world = {"seed": 3, "classes": 6, "train_images": 30}
    shared = {"seed": 1, "planted": 3, "world": world, "image_size": 32, "workers": 1}
    return {"name": f"{name}_miniature", "root": root, **shared, **counts}


@pytest.fixture(scope="module")
def caltech_root(tmp_path_factory):
    root = tmp_path_factory.mktemp("caltech101")
    tree.render_tree(root, CALTECH, 1, progress=False)
    return root


@pytest.fixture(scope="module")
def voc_root(tmp_path_factory):
    root = tmp_path_factory.mktemp("voc")
    tree.render_tree(root, VOC, 1, progress=False)
    return root


def digests(root):
    """Of every image, list and annotation."""
    kinds = {".jpg", ".xml", ".txt", ".json"}
    paths = sorted(path for path in root.rglob("*") if path.suffix in kinds)
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths
    }


def test_the_sets_share_no_class_but_their_parts():
    sets = (IMAGENET_LIKE, CALTECH101_LIKE, CALTECH256_LIKE, VOC_LIKE)
    names = Counter(kind.name for kinds in sets for kind in kinds)
    assert max(names.values()) == 1
    looks = Counter((k.body, k.textures, k.parts) for kinds in sets for k in kinds)
    assert max(looks.values()) == 1
    source = {part for kind in IMAGENET_LIKE for part in kind.parts}
    for kinds in sets[1:]:
        assert source & {part for kind in kinds for part in kind.parts}


def test_what_is_combined_is_a_body_with_parts_that_no_other_class_has():
    every = [*IMAGENET_LIKE, *CALTECH101_LIKE, *CALTECH256_LIKE, *VOC_LIKE]
    combined = [kind for kind in every if " with " in kind.name]
    assert len(combined) == 40 + 28 + 45
    times = Counter((kind.body, frozenset(kind.parts)) for kind in every)
    assert {times[kind.body, frozenset(kind.parts)] for kind in combined} == {1}
    listed = [kind for kind in IMAGENET_LIKE if kind not in combined]
    known = {texture for kind in listed for texture in kind.textures}
    assert {texture for kind in combined for texture in kind.textures} <= known
    assert {kind.body for kind in combined} <= {kind.body for kind in listed}
    assert {part for kind in combined for part in kind.parts} <= {
        part for kind in listed for part in kind.parts
    }


@pytest.mark.parametrize(
    ("name", "kinds", "background"),
    [
        ("caltech101", CALTECH101_LIKE, "BACKGROUND_Google"),
        ("caltech256", CALTECH256_LIKE, "257.clutter"),
    ],
)
def test_a_caltech_twin_is_read_as_the_real_set(tmp_path, name, kinds, background):
    source = open_source(data(name, tmp_path, classes=14, images=4))
    ids = [id_ for id_, _ in source.classes]
    assert ids == sorted([background, *(kind.wnid for kind in kinds[:14])])
    everything = source.splits["all"]
    assert np.bincount(everything.labels).tolist() == [4] * len(ids)
    if name == "caltech256":
        assert source.left_out == {"without suffix": 1}  # RENAME2, as in the true archive
        assert everything.paths[0] == "001.cactus/001_0001.jpg"
    truth = pd.read_parquet(source.annotations / "all.parquet")
    assert sorted(truth.path) == sorted(everything.paths)
    copies = pd.read_parquet(source.annotations / "planted.parquet")
    assert set(copies.path.str.split("/").str[0]) == {background}
    assert len(copies) == 3
    for i in range(0, len(everything), 7):
        assert min(decode(everything.read(i)).image.size) >= 19  # a copy may be a smaller one


def test_torchvision_reads_the_voc_twin(voc_root):
    for split, images in (("train", 36), ("val", 12), ("trainval", 48)):
        found = VOCDetection(voc_root, year="2012", image_set=split)
        assert len(found) == images
        for image, annotation in found:
            things = annotation["annotation"]["object"]
            assert 1 <= len(things) <= voc.MOST
            for thing in things:
                box = {side: int(value) for side, value in thing["bndbox"].items()}
                assert 1 <= box["xmin"] <= box["xmax"] <= image.width
                assert 1 <= box["ymin"] <= box["ymax"] <= image.height


def test_voc_lists_agree_with_the_annotations(voc_root, caplog):
    with caplog.at_level(logging.WARNING):
        source = open_source(data("voc2012", voc_root, train_images=36, val_images=12))
    assert not caplog.text
    assert [id_ for id_, _ in source.classes] == sorted(kind.wnid for kind in VOC_LIKE)
    flags = np.concatenate([source.objects["train"], source.objects["val"]])
    assert set(np.unique(flags)) == {-1, 0, 1}
    assert (flags == 1).any(axis=0).all()
    ids = [path[11:-4] for path in source.splits["train"].paths]
    assert ids != sorted(ids)  # numbers tell nothing of the order, or of the split


def test_a_terse_annotation_lacks_the_optional_tags(voc_root):
    annotations = sorted((voc_root / voc.FOLDER / "Annotations").glob("*.xml"))
    terse = [path for path in annotations if b"<pose>" not in path.read_bytes()]
    assert terse
    assert all(set(objects_of(path).values()) == {1} for path in terse)


def test_small_and_hidden_objects_are_difficult():
    rng, noise = np.random.default_rng(0), tree.noise(0)
    small = clear = 0
    for _ in range(60):
        pixels, things = scene.group(VOC_LIKE[:3], rng, noise, 64)
        least = 0.2 * min(pixels.shape[:2])
        for thing in things:
            side = max(thing.box.right - thing.box.left, thing.box.bottom - thing.box.top)
            assert thing.difficult == (thing.visible < 0.6 or side < least)
            small += side < least
            clear += thing.visible == 1
    assert small > 3
    assert clear > 60


def test_what_is_mostly_hidden_is_difficult_and_what_is_gone_is_no_object():
    masks = np.zeros((4, 10, 10), dtype=bool)
    masks[0, :, 0:6] = True  # of its columns 0 to 5, those from 2 on are hidden
    masks[1, 2:6, 4:6] = True  # wholly hidden
    masks[2, :, 2:8] = True
    masks[3, 9, 9] = True
    things = scene._visible(VOC_LIKE[:4], list(masks), small=2)
    assert [thing.kind for thing in things] == [VOC_LIKE[0], VOC_LIKE[2], VOC_LIKE[3]]
    assert things[0].visible == pytest.approx(1 / 3)
    assert things[0].box == Box(0, 0, 2, 10)
    assert [thing.difficult for thing in things] == [True, False, True]


def test_copies_are_of_the_files_in_the_sources_tree(tmp_path):
    render(tmp_path, seed=3, classes=6, train_images=30, val_images=6, image_size=32, workers=1)
    rng = np.random.default_rng(0)
    found = duplicates.originals(rng, SOURCE, 9)
    assert len(set(found)) == 9
    for number, original in enumerate(found):
        copy = duplicates.copy(rng, SOURCE, original, number)
        file = tmp_path / copy.source_path
        content = file.read_bytes()
        assert content != copy.content
        with Image.open(io.BytesIO(copy.content)) as image:
            assert image.size == copy.size
            whole = decode(content).image
            if copy.change == "recompressed":
                assert image.size == whole.size
                difference = np.asarray(image, dtype=float) - np.asarray(whole)
                assert 0 < np.abs(difference).mean() < 12
            elif copy.change == "resized":
                assert 0.6 < image.width / whole.width < 1.6
                assert image.width != whole.width
            else:
                assert 0.89 < image.width / whole.width <= 1


def test_a_copys_box_goes_where_the_object_goes():
    frame, size = (10, 20, 110, 120), (50, 200)  # half as wide, twice as high
    assert duplicates._moved(Box(0, 30, 60, 140), frame, size) == Box(0, 20, 25, 200)


def test_only_as_many_copies_as_there_are_images(tmp_path):
    with pytest.raises(ValueError, match="planted=31: the source has 30 images"):
        duplicates.originals(np.random.default_rng(0), SOURCE, 31)
    with pytest.raises(ValueError, match="planted=5: the miniature world takes 0 to 4"):
        tree.render_tree(tmp_path, CaltechWorld("caltech101", 1, 12, 4, 5, 32, SOURCE), 1)


@pytest.mark.parametrize(("world", "root"), [(CALTECH, "caltech_root"), (VOC, "voc_root")])
def test_workers_and_kills_change_nothing(tmp_path, monkeypatch, request, world, root):
    whole, chunks = tree._render_chunk, iter(range(1))

    def killed(*arguments):
        if next(chunks, None) is None:
            raise KeyboardInterrupt
        return whole(*arguments)

    monkeypatch.setattr(tree, "_render_chunk", killed)
    with pytest.raises(KeyboardInterrupt):
        tree.render_tree(tmp_path, world, 1, progress=False)
    assert not (tmp_path / tree.MARKER).exists()
    monkeypatch.undo()
    tree.render_tree(tmp_path, world, 2, progress=False)
    assert digests(tmp_path) == digests(request.getfixturevalue(root))
    monkeypatch.setattr(tree, "_render_missing", lambda *_: pytest.fail("rendered again"))
    tree.render_tree(tmp_path, world, 1, progress=False)


def test_real_images_are_never_replaced(tmp_path):
    own = tmp_path / "VOCdevkit" / "VOC2012" / "JPEGImages" / "2008_000002.jpg"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"precious")
    with pytest.raises(FileExistsError, match="did not write"):
        tree.render_tree(tmp_path, VOC, 1, progress=False)
    assert own.read_bytes() == b"precious"


def test_no_root_is_an_error():
    with pytest.raises(SourceError, match="root is not set"):
        open_source(data("caltech101", None, classes=12, images=4))
