"""ImageNet 2012 in small: the three archives, in the true layout."""

import io
import tarfile
from pathlib import Path

import numpy as np
import scipy.io
from pictures import jpeg

# ILSVRC2012_ID, WNID, words, number of children: the kit's order is not that of the ids
SYNSETS = [
    (1, "n02119789", "kit fox, Vulpes macrotis", 0),
    (2, "n01440764", "tench, Tinca tinca", 0),
    (3, "n03888257", "parachute, chute", 0),
    (4, "n00001740", "entity", 3),  # an inner node: no class
]
WNIDS = ("n01440764", "n02119789", "n03888257")
TRUTH = [3, 1, 2, 2, 1]  # ILSVRC2012_ID of validation images 1 to 5
TRAIN_IMAGES = 3  # a class


def train_files() -> dict[str, dict[str, bytes]]:
    return {
        wnid: {f"{wnid}_{i}.JPEG": jpeg(10 * k + i) for i in (3, 20, 100)[:TRAIN_IMAGES]}
        for k, wnid in enumerate(WNIDS)
    }


def val_files() -> dict[str, bytes]:
    return {f"ILSVRC2012_val_{n:08d}.JPEG": jpeg(100 + n) for n in range(1, len(TRUTH) + 1)}


def write_archives(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    inner = {f"{wnid}.tar": tar_of(files) for wnid, files in reversed(train_files().items())}
    (root / "ILSVRC2012_img_train.tar").write_bytes(tar_of(inner))
    backwards = dict(reversed(val_files().items()))  # the order in the archive tells nothing
    (root / "ILSVRC2012_img_val.tar").write_bytes(tar_of(backwards))
    (root / "ILSVRC2012_devkit_t12.tar.gz").write_bytes(tar_of(devkit_files(), "w:gz"))
    return root


def tar_of(files: dict[str, bytes], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def devkit_files() -> dict[str, bytes]:
    data = "ILSVRC2012_devkit_t12/data"
    truth = "".join(f"{number}\n" for number in TRUTH)
    return {
        f"{data}/meta.mat": meta_mat(),
        f"{data}/ILSVRC2012_validation_ground_truth.txt": truth.encode(),
        "ILSVRC2012_devkit_t12/readme.txt": b"in small",
    }


def meta_mat() -> bytes:
    """The kit's struct array, its fields in the true order."""
    names = (
        "ILSVRC2012_ID", "WNID", "words", "gloss",
        "num_children", "children", "wordnet_height", "num_train_images",
    )  # fmt: skip
    table = np.empty((len(SYNSETS), 1), dtype=[(name, object) for name in names])
    for row, (number, wnid, words, children) in enumerate(SYNSETS):
        table[row, 0] = (number, wnid, words, "a gloss", children, np.zeros(children), 0, 3)
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"synsets": table})
    return buffer.getvalue()
