"""What is wrong in a file of the configuration is one line that names the file."""

import re
import shutil
from pathlib import Path

import pytest

from zfrepro import config, keys

HEAD = "# @package _global_\nname: mine\npaper: {table: table3, row: tab3_zfnet}\n"
EXPERIMENT = r"conf/experiment/mine\.yaml"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(config.CONF, tmp_path / "conf")
    for module in (config, keys):
        monkeypatch.setattr(module, "CONF", tmp_path / "conf")
    monkeypatch.setattr(config, "PARAMS", tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("profile: smoke\nseed: 0\n")
    return tmp_path


def fails_with(message: str) -> None:
    with pytest.raises(config.ConfigError) as error:
        config.compose_experiment("mine")
    assert "\n" not in str(error.value)
    assert re.search(message, str(error.value)), str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("profil: smoke\nseed: 0\n", "has no value for profile"),
        ("profile: smok\nseed: 0\n", r": profile is 'smok'; it must be one of .*miniature, paper"),
        ("profile: smoke\nseed: abc\n", ": seed is 'abc'; it must be a whole number from 0 to"),
        ("profile: smoke\nseed: -1\n", ": seed is -1; it must be a whole number"),
        ("profile: smoke\nseed: 0\nlr: 1\n", ": there is no key lr: known here: profile, seed"),
        ("profile: smoke\n\tseed: 0\n", '", line 2, column 1'),
        ("- smoke\n", "is not a list of KEY: VALUE"),
        ("", "has no value for profile, seed"),
        (b"profile: smoke # \xf6\nseed: 0\n", "can't decode byte 0xf6"),
    ],
)
def test_params(project: Path, text: str | bytes, message: str) -> None:
    (project / "params.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    fails_with(rf"params\.yaml.*{message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "trainning: {epochs: 3}\n", "there is no key trainning: did you mean training"),
        (HEAD + "training: {epochs: abc}\n", "training.epochs is 'abc'; it must be a whole number"),
        (
            HEAD + "training: {epochs: -3}\n",
            "training.epochs is -3; it must be a whole number from 1",
        ),
        (HEAD + "training: 3\n", "3 stands where there are keys, those of training"),
        (HEAD + "training: {epochs: 3\n", '", line 4, column 11'),
        (HEAD.partition("\n")[2], "begins with `# @package _global_`"),
        ((HEAD + "# \xf6").encode("latin-1"), "is not in UTF-8"),
    ],
)
def test_experiment(project: Path, text: str | bytes, message: str) -> None:
    file = project / "conf" / "experiment" / "mine.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    fails_with(rf"{EXPERIMENT}.*{message}")


def test_figures_and_other_sets(project: Path) -> None:
    (project / "conf" / "analysis" / "smoke.yaml").write_text(
        "# @package _global_\nfeatures: {network: tab3_zfnot}\n"
    )
    with pytest.raises(
        config.ConfigError, match=r"^conf/analysis/smoke\.yaml: features\.network is"
    ):
        config.compose_analysis()
    (project / "conf" / "transfer" / "smoke.yaml").write_text(
        "# @package _global_\nprobe: {fold: 2}\n"
    )
    with pytest.raises(config.ConfigError, match=r"^conf/transfer/smoke\.yaml: there is no key"):
        config.compose_transfer()
