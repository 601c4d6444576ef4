"""Files of predictions: what they hold, the intervals they give, and ensembles of them."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from zfrepro.inference import predictions
from zfrepro.inference.predictions import PredictionsError
from zfrepro.training import errors

IMAGES, CLASSES = 300, 7


def write(path: Path, seed: int, images: int = IMAGES, batch: int = 64) -> torch.Tensor:
    """Random predictions in batches; returns the probabilities (images, CLASSES)."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(images, CLASSES, generator=generator).softmax(1)
    labels = torch.arange(images) % CLASSES
    with predictions.writer(path, CLASSES) as out:
        for start in range(0, images, batch):
            rows = slice(start, start + batch)
            names = [f"{i:03}.jpg" for i in range(images)][rows]
            out.add(names, labels[rows].numpy(), scores[rows].numpy())
    return scores


def test_a_file_tells_each_image_and_its_errors(tmp_path: Path) -> None:
    path = tmp_path / "val.parquet"
    scores, labels = write(path, seed=0).numpy(), np.arange(IMAGES) % CLASSES
    table = pq.read_table(path).to_pydict()
    assert table["path"][:2] == ["000.jpg", "001.jpg"]
    assert table["label"] == labels.tolist()
    order = np.argsort(-scores, axis=1)
    assert table["top5"] == order[:, :5].tolist()
    np.testing.assert_allclose(table["probability"], scores[np.arange(IMAGES), labels])
    np.testing.assert_array_equal(np.array(table["probabilities"], np.float32), scores)
    np.testing.assert_array_equal(predictions.wrong(path, 1), order[:, 0] != labels)
    np.testing.assert_array_equal(
        predictions.wrong(path, 5), (order[:, :5] != labels[:, None]).all(1)
    )


def test_ranks_are_those_of_training_ties_included() -> None:
    scores = torch.randint(4, (200, CLASSES), generator=torch.Generator().manual_seed(0)).float()
    labels = torch.arange(200) % CLASSES
    ours = predictions.ranks(scores.numpy(), labels.numpy())
    np.testing.assert_array_equal(ours, errors.ranks(scores, labels))


def test_an_ensemble_averages_probabilities(tmp_path: Path) -> None:
    members = [tmp_path / f"{seed}.parquet" for seed in range(3)]
    mean = np.mean([write(path, seed).numpy() for seed, path in enumerate(members)], axis=0)
    predictions.average(members, tmp_path / "all.parquet")
    kept = np.array(pq.read_table(tmp_path / "all.parquet")["probabilities"].to_pylist())
    np.testing.assert_allclose(kept, mean, rtol=1e-6)
    expected = mean.argmax(1) != np.arange(IMAGES) % CLASSES
    np.testing.assert_array_equal(predictions.wrong(tmp_path / "all.parquet", 1), expected)


def test_members_must_be_of_the_same_images(tmp_path: Path) -> None:
    one, other = tmp_path / "one.parquet", tmp_path / "other.parquet"
    write(one, seed=0)
    write(other, seed=1, images=IMAGES - 1)
    with pytest.raises(PredictionsError, match="different images"):
        predictions.average([one, other], tmp_path / "all.parquet")
    table = pq.read_table(one)
    moved = table.set_column(0, "path", [table["path"].to_pylist()[::-1]])
    with pq.ParquetWriter(other, table.schema) as out:
        for batch in moved.cast(table.schema).to_batches(max_chunksize=64):
            out.write_batch(batch)
    with pytest.raises(PredictionsError, match=r"other\.parquet.*different images"):
        predictions.average([one, other], tmp_path / "all.parquet")
    assert not (tmp_path / "all.parquet").exists()


@pytest.mark.parametrize(("classes", "top5"), [(5, False), (6, True)])
def test_five_classes_have_no_top5(tmp_path: Path, classes: int, top5: bool) -> None:
    path, labels = tmp_path / "few.parquet", np.arange(60) % classes
    with predictions.writer(path, classes) as out:
        out.add([f"{i}" for i in range(60)], labels, np.eye(classes, dtype=np.float32)[labels])
    assert predictions.says_something(path, 5) is top5
    assert predictions.says_something(path, 1)
    assert not predictions.knows_nothing(path)


def test_predictions_that_know_nothing(tmp_path: Path) -> None:
    path = tmp_path / "dead.parquet"
    with predictions.writer(path, 3) as out:
        out.add([f"{i}" for i in range(60)], np.arange(60) % 3, np.full((60, 3), 1 / 3, np.float32))
    assert predictions.knows_nothing(path)
