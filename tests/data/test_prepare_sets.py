"""Sets without a training split, and sets whose images show several classes."""

import numpy as np
import pandas as pd
import pytest
from pictures import write_tree
from transfer_archives import voc_files, write_caltech101, write_voc

from pipelines import prepare as stage
from zfrepro import config
from zfrepro.data.prepare import PreparationError, prepare
from zfrepro.data.sources.caltech import read_caltech101
from zfrepro.data.sources.voc import read_voc2012
from zfrepro.data.store import PreparedSet, StoreError

SETTINGS = {
    "image_size": 32, "filter": "bilinear", "storage": "uint8", "jpeg_quality": 90, "workers": 1,
    "progress": False,
}  # fmt: skip


def test_the_mean_is_over_the_one_split(tmp_path):
    source = read_caltech101(write_caltech101(tmp_path / "raw"), download=False)
    manifest = prepare(source, tmp_path / "work", **SETTINGS)
    assert list(manifest["splits"]) == ["all"]
    prepared = PreparedSet.open(tmp_path / "work")
    images = prepared.split("all").read(np.arange(7))
    np.testing.assert_allclose(prepared.mean, images.mean(axis=0, dtype=np.float64), atol=1e-5)
    assert (tmp_path / "work" / "preview.png").is_file()
    assert not (tmp_path / "work" / "objects.parquet").exists()


def test_objects_go_with_the_good_images(tmp_path):
    files = voc_files()
    files["VOCdevkit/VOC2012/JPEGImages/2008_000002.jpg"] = b"no image"
    write_tree(tmp_path / "raw", files)
    source = read_voc2012(tmp_path / "raw", download=False)
    manifest = prepare(source, tmp_path / "work", **SETTINGS, max_bad_share=0.5)
    assert manifest["splits"]["train"]["skipped"] == 1
    objects = pd.read_parquet(tmp_path / "work" / "objects.parquet")
    assert list(objects.columns) == ["split", "image", "path", "aeroplane", "cat", "person"]
    assert (objects.dtypes.iloc[3:] == np.int8).all()
    prepared = PreparedSet.open(tmp_path / "work")
    for split in ("train", "val"):
        of_split = objects[objects["split"] == split]
        assert of_split["image"].tolist() == list(range(len(prepared.split(split))))
        assert of_split["path"].tolist() == prepared.split(split).paths
    rows = objects.set_index("path").iloc[:, 2:]
    assert rows.loc["JPEGImages/2007_000027.jpg"].tolist() == [-1, -1, 1]
    assert rows.loc["JPEGImages/2008_000008.jpg"].tolist() == [-1, 0, -1]
    assert prepared.split("train").labels.tolist() == [2, -1]


def test_a_changed_flag_is_another_prepared_set(tmp_path):
    digests = set()
    for name, change in (("one", {}), ("two", {"cat_val.txt": b"2009_000001 -1\n"})):
        files = voc_files()
        for list_name, content in change.items():
            files[f"VOCdevkit/VOC2012/ImageSets/Main/{list_name}"] = content
        source = read_voc2012(write_tree(tmp_path / name, files), download=False)
        digests.add(prepare(source, tmp_path / f"{name}-work", **SETTINGS)["digest"])
    assert len(digests) == 2


def test_a_set_without_a_good_image_fails(tmp_path):
    names = [f"caltech101/101_ObjectCategories/{c}/image_0001.jpg" for c in ("ant", "bass")]
    source = read_caltech101(
        write_tree(tmp_path / "raw", dict.fromkeys(names, b"")), download=False
    )
    with pytest.raises(PreparationError, match=r"2 of 2 files .* all images of all"):
        prepare(source, tmp_path / "work", **SETTINGS, max_bad_share=1.0)


def test_images_left_out_of_a_split_move_the_others_up(tmp_path):
    source = read_caltech101(write_caltech101(tmp_path / "raw"), download=False)
    prepare(source, tmp_path / "work", **SETTINGS)
    whole = PreparedSet.open(tmp_path / "work")
    reduced = whole.without("all", [1, 5])
    kept = [0, 2, 3, 4, 6]
    before, after = whole.split("all"), reduced.split("all")
    assert len(after) == 5
    assert after.paths == [before.paths[i] for i in kept]
    assert after.labels.tolist() == before.labels[kept].tolist()
    np.testing.assert_array_equal(after.read(np.arange(5)), before.read(kept))
    np.testing.assert_array_equal(reduced.mean, whole.mean)
    assert len(whole.split("all")) == 7


def test_a_set_that_the_profile_has_not_is_marked(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "ROOT", tmp_path)
    out = tmp_path / "results" / "prepared" / "voc2012"
    out.mkdir(parents=True)
    (out / "manifest.json").write_text("{}")  # of another profile
    stage.run("voc2012", {"name": None})
    assert [path.name for path in out.iterdir()] == ["absent"]
    with pytest.raises(StoreError, match="this profile has no such set"):
        PreparedSet.open(out)


def test_a_transfer_set_is_prepared_by_its_stage(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "ROOT", tmp_path)
    monkeypatch.setattr(config, "CHECKPOINTS", tmp_path / ".checkpoints")
    write_voc(tmp_path / "elsewhere")
    monkeypatch.setenv("ZFREPRO_VOC2012", str(tmp_path / "elsewhere"))
    data = config.compose_sets(["profile=paper"])["voc2012"]
    stage.run("voc2012", {**data, "download": False, "image_size": 32})
    out = tmp_path / "results" / "prepared" / "voc2012"
    assert len(PreparedSet.open(out).split("train")) == 3
    assert len(pd.read_parquet(out / "objects.parquet")) == 4
