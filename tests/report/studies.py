"""A small folder `results/`, as the stages before `report` leave it, with made-up numbers."""

import json
from pathlib import Path
from typing import Any

from PIL import Image

from zfrepro import config

ZFNET, SECOND, WIDE = "tab3_zfnet", "tab2_zfnet_seed1", "tab3_zfnet_conv345_wide"
MARKS = {ZFNET: "a" * 16, SECOND: "b" * 16, WIDE: "c" * 16}
CLAIMS: list[dict[str, Any]] = [
    {
        "id": "figure5-scale", "element": "figure5", "section": "4.1",
        "claim": "Enlarged, layer 7 changes less", "measure": "difference", "unit": "points",
        "paper": "less (curves)", "rule": "reproduced if above 0", "verdict": verdict,
        "effect": effect, "low": low, "high": high, "margin": 0.0, "paper_effect": 2.0,
        "images": 60, "seeds": 5, "networks": [ZFNET], "stage": "invariance", "picture": None,
        "sources": ["results/figures/figure5/measures.json"], "note": "",
    }
    for verdict, effect, low, high in (("reproduced", 1.25, 0.5, 2.0),)
] + [
    {
        "id": "table4-best", "element": "table4", "section": "5.2", "claim": "The best",
        "measure": "difference", "unit": "points", "paper": "best", "rule": "reproduced if above 0",
        "verdict": "not tested", "effect": None, "low": None, "high": None, "images": None,
        "seeds": None, "networks": [], "sources": [], "stage": "transfer@caltech101",
        "picture": None, "note": "there is no such set",
    }
]  # fmt: skip

TABLE1 = """occlusion,conv5_mean,conv5_std,conv5_low,conv5_high,conv5_paper,conv5_paper_std
nose,0.2856,0.0736,0.2721,0.298,0.079,0.017
"""
TABLE2 = f"""row,parameters,epochs,seeds,paper_val_top1,val_top1,val_top1_low,val_top1_high,\
val_top1_sd,paper_change,change,change_low,change_high,fingerprint
krizhevsky_1_convnet,,,,40.7,,,,,,,,,
zfnet_1_convnet,10,16,0 1,38.4,18.38,16.38,20.36,2.37,,,,,{MARKS[ZFNET]} {MARKS[SECOND]}
zfnet_wide_1_convnet_b,20,16,0,37.5,17,14.7,19.4,,-0.9,-1.4,-3.1,0.3,{MARKS[WIDE]}
"""
TABLE3 = f"""row,parameters,epochs,seeds,paper_train_top1,train_top1,train_top1_low,\
train_top1_high,train_top1_sd,paper_val_top1,val_top1,val_top1_low,val_top1_high,val_top1_sd,fingerprint
{ZFNET},10,16,0,33.1,16.8,14.5,19.1,,38.4,18,15.7,20.4,,{MARKS[ZFNET]}
"""
TABLE4 = """row,paper_acc_15,paper_acc_15_sd,acc_15,acc_15_sd,acc_15_low,acc_15_high,acc_15_folds
bo_2013,81.4,0.33,,,,,
pretrained,83.8,0.5,55.69,2.984,51.99,59.4,5
"""
MEASURES = {"images": 60, "scale/fc7": 0.25455, "scale/fc7_low": 0.22985, "scale/fc7_high": 0.28064}
CONFIG = config.to_yaml(
    config.compose_experiment("tab3_zfnet", ["profile=miniature", "data.image_size=64"])
)


def write_study(root: Path, *, classes: tuple[str, ...] = ("fox",), report: str = "") -> Path:
    """`results/` below `root`, with tables 1 to 4, figure 5, two claims and three networks.

    Args:
        report: Markdown of figure 5.
    """
    results = root / "results"
    for name, mark in MARKS.items():
        _write(results / f"runs/{name}/run.json", json.dumps({
            "fingerprint": mark, "experiment": name, "profile": "smoke",
            "seed": 1 * (name == SECOND),
            "git_revision": "abc123", "precision": "32-true", "versions": {"torch": "2.14.1"},
            "data": {
                "digest": "d" * 64, "source": "miniature",
                "splits": {"train": {"images": 300}, "val": {"images": 100}},
                "classes": [{"id": c, "name": c} for c in classes],
            },
            "left_out": {"train": 0, "val": 0},
        }))  # fmt: skip
        _write(results / f"runs/{name}/config.yaml", CONFIG)
        _write(results / f"runs/{name}/metrics.json", '{"epochs": 16}')
        curve = "epoch,train/loss,val/top1\n1,3.1,60\n16,0.5,12.5\n"
        _write(results / f"runs/{name}/epochs.csv", curve)
    for number, text in enumerate((TABLE1, TABLE2, TABLE3, TABLE4), 1):
        _write(results / f"tables/table{number}.csv", text)
        _write(results / f"tables/table{number}.md", "| a |\n| --- |\n\nHow it was measured.\n")
    figure = results / "figures" / "figure5"
    _write(figure / "measures.json", json.dumps(MEASURES))
    _write(figure / "report.md", f"# Figure 5\n\nFound: 0.255.\n\n{report}")
    _write(figure / "means.csv", "a\n1\n")
    for name, size in (("figure5", (2000, 500)), ("means", (300, 200))):
        Image.new("RGB", size, "white").save(figure / f"{name}.png")
    _write(figure / "recipe.json", json.dumps({"stage": "invariance", "network": ZFNET}))
    _write(results / "report" / "claims.json", json.dumps({"profile": "smoke", "claims": CLAIMS}))
    _write(root / "dvc.lock", f"stages:\n  train@{ZFNET}:\n    cmd: train\n")
    return results


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
