"""The rendered tree: layout, determinism, restarts, planted oddities."""

import hashlib
import json
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from zfrepro.data.miniature import __main__ as command
from zfrepro.data.miniature import render, tree, writer
from zfrepro.data.miniature.kinds import IMAGENET_LIKE
from zfrepro.data.miniature.oddities import PLANTED, planted

SMALL = {"seed": 3, "classes": 4, "train_images": 50, "val_images": 14, "image_size": 32}


def render_small(root, *, workers=1, **changed):
    render(root, **{**SMALL, **changed}, workers=workers, progress=False)
    return root


@contextmanager
def quietly_opened(path):
    """The image file, without a warning about the EXIF block that is broken on purpose."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Corrupt EXIF")
        with Image.open(path) as image:
            yield image


def tree_digests(root):
    """Of every file but the lock; Parquet by its rows, since its footer names its writer."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(root)): digest(path) for path in files}


def digest(path):
    if path.suffix == ".parquet":
        return json.dumps(pq.read_table(path).to_pylist())
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return render_small(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def rows(world):
    return {
        split: pq.read_table(world / "annotations" / f"{split}.parquet").to_pylist()
        for split in ("train", "val")
    }


def test_layout_is_that_of_unpacked_imagenet(world):
    wnids = [kind.wnid for kind in IMAGENET_LIKE[:4]]
    for split in ("train", "val"):
        assert sorted(path.name for path in (world / split).iterdir()) == wnids
    first = sorted(path.name for path in (world / "train" / wnids[0]).iterdir())
    assert first == sorted(f"{wnids[0]}_{number}.JPEG" for number in range(1, 14))
    numbered = sorted(path.name for path in (world / "val").rglob("*.JPEG"))
    assert numbered == [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, 15)]


def test_counts_are_totals_spread_evenly(world):
    sizes = [len(list(folder.iterdir())) for folder in sorted((world / "train").iterdir())]
    assert sizes == [13, 13, 12, 12]


def test_validation_numbers_do_not_follow_the_classes(world):
    by_class = [
        sorted(path.name for path in folder.iterdir())
        for folder in sorted((world / "val").iterdir())
    ]
    in_class_order = [name for names in by_class for name in names]
    assert in_class_order != sorted(in_class_order)


def test_class_names_are_listed_as_imagenet_lists_them(world):
    lines = (world / "LOC_synset_mapping.txt").read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["n90000101 tabby cat", "n90000102 ladybird, ladybug"]
    assert len(lines) == 4


def test_torchvision_reads_the_tree(world):
    from torchvision.datasets import ImageFolder

    train = ImageFolder(str(world / "train"))
    assert (len(train), len(train.classes)) == (50, 4)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Corrupt EXIF")
        assert all(image.mode == "RGB" and min(image.size) >= 32 for image, _ in train)


def test_images_vary_in_size_and_shape(rows):
    sizes = {(row["width"], row["height"]) for row in rows["train"]}
    assert len(sizes) > 25
    assert all(32 <= min(size) <= 52 for size in sizes)
    assert all(max(size) <= 4 / 3 * min(size) + 1 for size in sizes)
    assert {width > height for width, height in sizes} == {True, False}


def test_annotations_have_a_row_for_each_image(world, rows):
    for split in ("train", "val"):
        paths = {str(path.relative_to(world)) for path in (world / split).rglob("*.JPEG")}
        assert {row["path"] for row in rows[split]} == paths
    for row in rows["train"]:
        assert row["wnid"] == Path(row["path"]).parent.name
        with quietly_opened(world / row["path"]) as image:
            assert image.size == (row["width"], row["height"])


def test_number_of_workers_changes_nothing(world, tmp_path):
    assert tree_digests(render_small(tmp_path / "two", workers=2)) == tree_digests(world)


def test_another_seed_changes_every_image(world, tmp_path):
    other = tree_digests(render_small(tmp_path, seed=4))
    mine = tree_digests(world)
    shared = [name for name in mine if name.startswith("train") and mine[name] == other[name]]
    assert not shared


def test_more_images_leave_the_earlier_ones_as_they_were(tmp_path):
    few = render_small(tmp_path / "few", train_images=40, classes=2)
    many = render_small(tmp_path / "many", train_images=60, classes=2)
    path = "n90000101/n90000101_7.JPEG"
    with Image.open(few / "train" / path) as mine, Image.open(many / "train" / path) as other:
        assert mine.size == other.size


def test_a_finished_tree_is_left_alone(world, monkeypatch):
    monkeypatch.setattr(tree, "_render_missing", lambda *_: pytest.fail("rendered again"))
    render_small(world)


@pytest.mark.parametrize("killed_after", [1, 3])
def test_restart_after_a_kill_gives_the_identical_tree(world, tmp_path, monkeypatch, killed_after):
    chunks = iter(range(killed_after))
    whole = tree._render_chunk

    def killed(root, parameters, chunk):
        if next(chunks, None) is None:
            half = writer.Chunk(chunk.split, chunk.kind, 0, 2, chunk.first)
            whole(root, parameters, half)  # some images of the chunk, and then the end
            (root / tree.UNFINISHED / f"{half.name}.json").unlink()
            raise KeyboardInterrupt
        return whole(root, parameters, chunk)

    monkeypatch.setattr(tree, "_render_chunk", killed)
    with pytest.raises(KeyboardInterrupt):
        render_small(tmp_path)
    assert not (tmp_path / tree.MARKER).exists()
    monkeypatch.setattr(tree, "_render_chunk", whole)
    assert tree_digests(render_small(tmp_path)) == tree_digests(world)


def test_restart_repeats_no_finished_chunk(tmp_path, monkeypatch):
    render_small(tmp_path)
    (tmp_path / tree.MARKER).unlink()
    signature = writer.World(**SMALL).signature()
    (tmp_path / tree.UNFINISHED).mkdir()
    (tmp_path / tree.UNFINISHED / tree.MARKER).write_text(json.dumps(signature))
    chunks = writer.World(**SMALL).chunks()
    for chunk in chunks[1:]:
        (tmp_path / tree.UNFINISHED / f"{chunk.name}.json").write_text("[]")
    rendered = []
    whole = tree._render_chunk
    monkeypatch.setattr(
        tree, "_render_chunk", lambda *args: rendered.append(args[-1]) or whole(*args)
    )
    render_small(tmp_path)
    assert rendered == chunks[:1]


def test_other_parameters_replace_the_tree(tmp_path):
    render_small(tmp_path, classes=3)
    render_small(tmp_path, classes=2)
    assert len(list((tmp_path / "train").iterdir())) == 2
    assert len(list((tmp_path / "train").rglob("*.JPEG"))) == SMALL["train_images"]
    assert json.loads((tmp_path / tree.MARKER).read_text())["classes"] == 2


def test_images_of_others_are_never_removed(tmp_path):
    own = tmp_path / "train" / "n01440764" / "photo.JPEG"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"precious")
    with pytest.raises(FileExistsError, match=r"data\.root"):
        render_small(tmp_path)
    assert own.read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("name", "value", "bound"),
    [("classes", 1, "2"), ("classes", 999, "60"), ("val_images", 3, "4"), ("image_size", 8, "16")],
)
def test_impossible_counts_name_their_bounds(tmp_path, name, value, bound):
    with pytest.raises(ValueError, match=f"{name}={value}.*{bound}"):
        render_small(tmp_path, **{name: value})


def test_oddities_are_planted(world, rows):
    for split in ("train", "val"):
        expected = PLANTED[split]
        forms = [row["form"] for row in rows[split] if row["form"] != "rgb"]
        assert {form: forms.count(form) for form in set(forms)} == {
            form: number for form, number in expected.items() if form in forms
        }
    odd = {row["form"]: world / row["path"] for row in rows["train"]}
    assert set(odd) == {"rgb", *PLANTED["train"]}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Corrupt EXIF")
        opened = {form: Image.open(path) for form, path in odd.items()}
        assert {form: (image.format, image.mode) for form, image in opened.items()} == {
            "rgb": ("JPEG", "RGB"),
            "grey": ("JPEG", "L"),
            "cmyk": ("JPEG", "CMYK"),
            "png": ("PNG", "RGB"),
            "rotated_exif": ("JPEG", "RGB"),
            "broken_exif": ("JPEG", "RGB"),
        }
        assert opened["rotated_exif"].getexif()[0x0112] == 6
        assert opened["broken_exif"].getexif().get(0x0112) is None


def test_cmyk_files_hold_the_drawn_colours(rows, world):
    row = next(row for row in rows["train"] if row["form"] == "cmyk")
    parameters = writer.World(**SMALL)
    kind = next(kind for kind in IMAGENET_LIKE if kind.wnid == row["wnid"])
    index = int(Path(row["path"]).stem.split("_")[1]) - 1
    drawn = writer.render_one(parameters, "train", kind, index).pixels
    with Image.open(world / row["path"]) as image:
        read = np.asarray(image.convert("RGB"))
    assert np.abs(read.astype(float) - drawn).mean() < 12


def test_few_images_stay_mostly_ordinary():
    assert len(planted("train", 12, seed=0)) == 3
    assert planted("train", 3, seed=0) == {}
    assert sorted(planted("val", 100, seed=0).values()) == ["cmyk", "grey", "grey"]


def test_command_renders_and_shows(tmp_path, monkeypatch, capsys):
    sheet = tmp_path / "sheet.png"
    counts = "--classes 3 --train-images 6 --val-images 3 --image-size 32 --workers 1"
    out = ["--out", str(tmp_path / "world"), "--contact-sheet", str(sheet)]
    monkeypatch.setattr("sys.argv", ["miniature", *out, *counts.split()])
    command.main()
    with Image.open(sheet) as image:
        assert image.width >= 96
        assert len(image.getcolors(maxcolors=10**6)) > 1000


def test_command_explains_itself(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["miniature", "--help"])
    with pytest.raises(SystemExit, match="0"):
        command.main()
    assert "--contact-sheet" in capsys.readouterr().out


def rendering(root):
    """Another process that renders with two workers, in a process group of its own."""
    counts = "--classes 4 --train-images 400 --val-images 8 --image-size 64 --workers 2"
    command_line = [sys.executable, "-m", "zfrepro.data.miniature", "--out", str(root)]
    return subprocess.Popen(
        [*command_line, *counts.split()], stderr=subprocess.DEVNULL, start_new_session=True
    )


def members(group):
    """The living processes of a group; those that end while we look are none."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, _parent, own_group = stat.read_text().rsplit(") ", 1)[1].split()[:3]
            if int(own_group) == group and state != "Z":
                found.append(stat)
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_killed_for_good_it_leaves_no_process_and_goes_on_where_it_was(tmp_path):
    process = rendering(tmp_path / "killed")
    wait_for(lambda: len(list((tmp_path / "killed").glob(".unfinished/train*.json"))) >= 2)
    process.kill()
    process.wait()
    wait_for(lambda: not members(process.pid))
    assert not (tmp_path / "killed" / tree.MARKER).exists()
    for root in (tmp_path / "killed", tmp_path / "undisturbed"):
        assert rendering(root).wait(timeout=60) == 0
    assert tree_digests(tmp_path / "killed") == tree_digests(tmp_path / "undisturbed")


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
