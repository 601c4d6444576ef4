"""Figure 2: windows cut like the projections', contrast, and pictures that are there."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from zfrepro.elements.features import measure as features
from zfrepro.elements.features import plot as drawing
from zfrepro.elements.features.measure import Panel
from zfrepro.interp.deconv import Deconvnet, Projections
from zfrepro.interp.graph_deconv import GraphDeconvnet
from zfrepro.interp.top_activations import strongest, to_table
from zfrepro.render import mosaic

IMAGES = torch.rand(12, 3, 20, 20, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def deconvnet() -> Deconvnet:
    torch.manual_seed(0)
    return Deconvnet(nn.Sequential(nn.Conv2d(3, 8, 5, padding=2), nn.ReLU()))


@pytest.fixture
def table(deconvnet: Deconvnet) -> pd.DataFrame:
    return to_table(strongest(deconvnet.chain, ["0"], [(np.arange(12), IMAGES)]))


def found(deconvnet: Deconvnet, table: pd.DataFrame, maps: list[int]) -> list[features.Panel]:
    return features.panels(
        deconvnet, table, "0", maps,
        read=lambda numbers: IMAGES[numbers],
        show=lambda numbers: IMAGES[numbers].permute(0, 2, 3, 1).numpy(),
    )  # fmt: skip


def test_panels_hold_projection_and_patch_of_one_place(
    deconvnet: Deconvnet, table: pd.DataFrame
) -> None:
    for panel in found(deconvnet, table, [1, 5]):
        rows = table[table["map"] == panel.map]
        assert panel.images.tolist() == rows["image"].tolist()
        weights = deconvnet.chain.steps[0].module.weight[panel.map].detach()
        for k, (_, row) in enumerate(rows.iterrows()):
            expected = row["value"] * weights.permute(1, 2, 0)
            top, left = row["row"] - 2, row["column"] - 2
            inside = ~np.isnan(panel.patches[k][..., 0])
            expected = np.where(inside[..., None], expected, 0)
            np.testing.assert_allclose(panel.projections[k], expected, rtol=1e-4, atol=1e-6)
            for i, j in zip(*np.nonzero(inside), strict=True):
                pixel = IMAGES[row["image"], :, top + i, left + j]
                np.testing.assert_allclose(panel.patches[k][i, j], pixel)
            outside = 25 - (min(top + 5, 20) - max(top, 0)) * (min(left + 5, 20) - max(left, 0))
            assert (~inside).sum() == outside


def test_a_graph_is_gone_back_along_for_few_images_at_a_time(
    deconvnet: Deconvnet, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = GraphDeconvnet(nn.Sequential(*(s.module for s in deconvnet.chain.steps)).eval(), 20)
    strongest_ = table.assign(layer="1")  # the ReLU, by its own name
    monkeypatch.setattr(features, "GRAPHS", 5)
    expected = features.project_rows(deconvnet, "0", table, table["image"].to_numpy(), IMAGES)
    found = features.project_rows(graph, "1", strongest_, table["image"].to_numpy(), IMAGES)
    for mine, theirs in zip(vars(found).values(), vars(expected).values(), strict=True):
        torch.testing.assert_close(mine, theirs)


def panel_of(energy_at: list[tuple[int, int]], known: slice = slice(0, 40)) -> Panel:
    """Windows of 40 pixels, each with a bright square of 4 with its corner there."""
    projections = np.zeros((len(energy_at), 40, 40, 3), np.float32)
    patches = np.full_like(projections, np.nan)
    patches[:, known, known] = 0.5
    for window, (row, column) in zip(projections, energy_at, strict=True):
        window[row : row + 4, column : column + 4] = 1
    count = len(energy_at)
    return Panel("conv5", 0, projections, patches, np.ones(count, np.float32), np.arange(count))


def test_a_panel_is_cut_to_where_its_energy_is() -> None:
    places = [(18, 18), (30, 5), (2, 33)]
    found = features.focused(panel_of(places))
    assert found.projections.shape == found.patches.shape == (3, 4, 4, 3)
    assert (found.projections == 1).all()
    whole = features.focused(panel_of([(0, 0), (36, 36)]), share=1.0)
    assert whole.projections.shape[1] == 4
    nothing = panel_of(places)
    nothing.projections[:] = 0
    assert features.focused(nothing) is nothing


def test_a_cut_stays_within_the_image_where_there_is_room() -> None:
    panel = panel_of([(20, 20), (20, 0)], known=slice(0, 24))
    panel.projections[1, 20, 0:10] = 1  # it asks for a larger square than the first one does
    found = features.focused(panel)
    assert 4 < found.projections.shape[1] < 24
    assert not np.isnan(found.patches).any()


def test_windows_over_the_edge_are_marked() -> None:
    windows = Projections(torch.zeros(1, 3, 5, 5), torch.tensor([-2]), torch.tensor([17]))
    cut = features.windows_of(np.ones((1, 20, 20, 3), np.float32), windows)
    assert np.isnan(cut[0, :2]).all()
    assert np.isnan(cut[0, :, 3:]).all()
    assert (cut[0, 2:, :3] == 1).all()


def test_the_subset_of_maps_is_of_those_that_fire(table: pd.DataFrame) -> None:
    firing = table[table["map"] != 2]
    chosen = features.choose_maps(firing, "0", 5, seed=3)
    assert len(set(chosen)) == 5
    assert 2 not in chosen
    assert chosen == sorted(chosen) == features.choose_maps(firing, "0", 5, seed=3)
    assert features.choose_maps(firing, "0", 99, seed=3) == [0, 1, 3, 4, 5, 6, 7]


def test_a_map_that_seldom_fires_is_shown_where_others_are_too_few(table: pd.DataFrame) -> None:
    seldom = table[(table["map"] != 2) | (table["rank"] <= 3)]
    assert 2 not in features.choose_maps(seldom, "0", 7, seed=3)
    assert features.choose_maps(seldom, "0", 8, seed=3) == list(range(8))


def test_contrast_keeps_zero_grey_and_one_scale() -> None:
    shown = mosaic.signed(np.array([[[-2.0, 0, 1]]], np.float32), 100)
    np.testing.assert_allclose(shown, [[[0, 0.5, 0.75]]])
    assert (mosaic.signed(np.zeros((2, 2, 3), np.float32)) == 0.5).all()


def test_figures_are_written(deconvnet: Deconvnet, table: pd.DataFrame, tmp_path: Path) -> None:
    drawing.draw(found(deconvnet, table, [0, 1, 3]), tmp_path / "layer", "title")
    drawing.draw_filters(np.random.default_rng(0).normal(size=(7, 3, 5, 5)), tmp_path / "f", "t")
    assert {path.name for path in tmp_path.iterdir()} == {
        "layer.png", "layer.pdf", "f.png", "f.pdf",
    }  # fmt: skip
    with Image.open(tmp_path / "layer.png") as picture:
        assert min(picture.size) > 500
        assert len(picture.convert("L").getcolors() or range(256)) > 50


def test_likeness_is_the_mean_correlation_of_two_of_them() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.normal(size=(4, 6, 5, 3)).astype(np.float32)
    pairs = [
        np.corrcoef(pictures[i].ravel(), pictures[j].ravel())[0, 1]
        for i in range(4) for j in range(i)
    ]  # fmt: skip
    assert features.likeness(pictures) == pytest.approx(np.mean(pairs), abs=1e-6)
    cut = pictures.copy()
    cut[1, :2] = np.nan  # beyond the edge: of no picture do these rows count
    assert features.likeness(cut) == pytest.approx(features.likeness(pictures[:, 2:]), abs=1e-6)
    assert features.likeness(np.stack([pictures[0]] * 9)) == pytest.approx(1)
    assert np.isnan(features.likeness(pictures[:1]))


def test_purity_is_the_share_of_the_commonest_class() -> None:
    images = np.arange(18)
    rows = pd.DataFrame({"layer": "conv1", "map": images // 9, "image": images})
    rare = pd.DataFrame({"layer": "conv1", "map": 2, "image": images[:4]})
    labels = np.array([1] * 9 + [0, 1, 2] * 3)
    found = features.purity(pd.concat([rows, rare]), labels, "conv1")
    assert found.tolist() == pytest.approx([1, 1 / 3])
