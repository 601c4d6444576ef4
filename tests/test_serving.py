"""From raw images to probabilities."""

import base64
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tests.run_folders import CLASSES, CROP, IMAGE_SIZE, save_weights
from zfrepro.serving import Classifier, as_list, mean_picture, to_content, unique_labels

LABELS = ["red fox", "crane (n02)", "crane (n03)", "cup"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "weights.pt"
    save_weights(path)
    return path


@pytest.fixture(scope="module")
def classifier(weights: Path) -> Classifier:
    return Classifier.load(weights)


def pixels(height: int, width: int, seed: int = 0) -> np.ndarray:
    shape = (height, width, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encoded(image: np.ndarray, kind: str = "PNG") -> str:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


def test_ten_crops_are_averaged_after_the_softmax(weights: Path, classifier: Classifier) -> None:
    """Against a second route: crops by slicing, flips by reversing, one image at a time."""
    image = pixels(IMAGE_SIZE, IMAGE_SIZE)  # as large as a prepared one: nothing is resampled
    saved = torch.load(weights, weights_only=True)
    centred = (torch.from_numpy(image).float() - saved["mean"]).permute(2, 0, 1)
    end, middle = IMAGE_SIZE - CROP, (IMAGE_SIZE - CROP) // 2
    places = [(0, 0), (0, end), (end, 0), (end, end), (middle, middle)]
    views = [centred[:, top : top + CROP, left : left + CROP] for top, left in places]
    views += [view.flip(-1) for view in views]
    with torch.no_grad():
        expected = classifier.trained.net(torch.stack(views)).softmax(1).mean(0)
        centre = classifier.trained.net(views[4][None]).softmax(1)[0]
    np.testing.assert_allclose(classifier.predict(image).iloc[0], expected, atol=1e-6)
    np.testing.assert_allclose(classifier.predict(image, "centre").iloc[0], centre, atol=1e-6)
    assert expected.max() - expected.min() > 0.05  # else any average would do


def test_one_row_an_image_one_column_a_class(classifier: Classifier) -> None:
    table = classifier.predict([pixels(40, 60), pixels(60, 40, 1)])
    assert list(table.columns) == LABELS
    assert table.shape == (2, 4)
    np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-6)


def test_every_form_of_an_image_gives_the_same(classifier: Classifier, tmp_path: Path) -> None:
    image = pixels(45, 70)
    text = encoded(image)
    file = tmp_path / "image.png"
    file.write_bytes(base64.b64decode(text))
    forms = [
        image,
        [image],
        image[None],
        text,
        f"data:image/png;base64,{text}",
        base64.b64decode(text),
        Image.fromarray(image),
        [image.tolist()],
        {"image": image[None]},
        pd.DataFrame({"image": [image]}),
        pd.DataFrame({"image": [text]}),
        pd.DataFrame({"image": [[text]]}),
        image.tolist(),
        torch.from_numpy(image),
        torch.from_numpy(image).permute(2, 0, 1),
        [torch.from_numpy(image).permute(2, 0, 1)],
        image.transpose(2, 0, 1)[None],
        bytearray(base64.b64decode(text)),
        base64.urlsafe_b64encode(base64.b64decode(text)).decode(),
        file,
        [file],
    ]
    expected = classifier.predict(image).to_numpy()
    for form in forms:
        np.testing.assert_array_equal(classifier.predict(form).to_numpy(), expected)


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (500, 3), (28, 28), (200, 33)])
def test_any_size(classifier: Classifier, shape: tuple[int, int]) -> None:
    assert np.isfinite(classifier.predict(pixels(*shape)).to_numpy()).all()


def test_grey_and_transparent_images(classifier: Classifier) -> None:
    grey = pixels(40, 50)[..., 0]
    as_colour = classifier.predict(np.stack([grey] * 3, axis=-1)).to_numpy()
    np.testing.assert_array_equal(classifier.predict(grey).to_numpy(), as_colour)
    np.testing.assert_array_equal(classifier.predict(grey[..., None]).to_numpy(), as_colour)
    colour = pixels(40, 50)
    with_alpha = np.dstack([colour, pixels(40, 50, 2)[..., 0]])
    expected = classifier.predict(colour).to_numpy()
    np.testing.assert_array_equal(classifier.predict(with_alpha).to_numpy(), expected)


def test_16_bits_are_the_same_as_a_picture_and_as_a_file(classifier: Classifier) -> None:
    grey = pixels(40, 50)[..., 0]
    wide = grey.astype(np.uint16) * 257
    expected = classifier.predict(grey).to_numpy()
    for form in (Image.fromarray(wide), encoded(wide)):
        np.testing.assert_array_equal(classifier.predict(form).to_numpy(), expected)


def test_batches_keep_the_order(classifier: Classifier) -> None:
    images = [pixels(30 + i, 50, i) for i in range(37)]  # more than are prepared at once
    together = classifier.predict(images, "centre").to_numpy()
    alone = np.concatenate([classifier.predict(image, "centre").to_numpy() for image in images])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_no_images_no_rows(classifier: Classifier) -> None:
    assert classifier.predict([]).shape == (0, 4)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (["not base64!"], "image 0 cannot be read: text must be a base64"),
        ("https://example.org/cat.png", "no path and no address.*a pathlib.Path"),
        ("grün", "text must be a base64"),
        (Path("absent.png"), "absent.png: No such file"),
        (None, "NoneType is not an image: an image is a file's bytes"),
        ([None], "image 0 cannot be read: pixels must be whole numbers"),
        (np.zeros((2, 9, 9), int).tolist(), "may be one image or"),
        ([pixels(9, 9), b"no image"], "image 1 cannot be read: not an image"),
        ([pixels(9, 9).astype(np.float32) / 255], "whole numbers of 0 to 255, not float32"),
        ([np.full((9, 9), 256)], "whole numbers of 0 to 255"),
        ([np.zeros((9, 9, 2), np.uint8)], r"shape \(9, 9, 2\) is not an image: .*\(H, W, 4\)"),
        (Image.new("F", (9, 9)), "mode F: floating-point pixels"),
        (np.zeros((1, 2, 9, 9, 3), np.uint8), "neither an image nor a batch"),
        (pd.DataFrame({"picture": ["x"]}), "no column 'image', only picture"),
    ],
)
def test_what_cannot_be_read_is_named(classifier: Classifier, images: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classifier.predict(images)


def test_unknown_crops(classifier: Classifier) -> None:
    with pytest.raises(ValueError, match="'five'; it can be centre or ten"):
        classifier.predict(pixels(9, 9), "five")


def test_a_file_that_is_no_network(tmp_path: Path) -> None:
    torch.save({"model": {}}, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match="holds no network of this project"):
        Classifier.load(tmp_path / "weights.pt")


def test_a_network_that_knows_nothing_is_named(
    weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Classifier.load(weights)
    assert not caplog.text
    torch.save({**torch.load(weights, weights_only=True), "at_chance": True}, tmp_path / "dead.pt")
    Classifier.load(tmp_path / "dead.pt")
    assert "dead.pt is no better than chance on its validation images" in caplog.text


def test_labels_are_unique() -> None:
    labels = unique_labels([(key, name) for key, name in CLASSES])
    assert labels == LABELS


def test_lists_of_images() -> None:
    batch = np.zeros((2, 5, 6, 3), np.uint8)
    assert len(as_list(batch)) == 2
    assert len(as_list(batch[0])) == 1
    assert len(as_list(batch[0, ..., 0])) == 1
    assert len(as_list("text")) == 1
    ragged = np.empty(2, dtype=object)
    ragged[:] = [batch[0], batch[0, :3]]
    assert [image.shape for image in as_list(ragged)] == [(5, 6, 3), (3, 6, 3)]


def test_content_is_bytes_or_pixels() -> None:
    assert to_content("YWJj") == b"abc"
    assert to_content(" YW\nJj ") == b"abc"
    pixel = to_content([[[1, 2, 3]]])
    assert isinstance(pixel, np.ndarray)
    assert pixel.dtype == np.uint8
    assert pixel.shape == (1, 1, 3)


def test_mean_picture(classifier: Classifier) -> None:
    assert mean_picture(classifier.trained.mean).size == (IMAGE_SIZE, IMAGE_SIZE)
