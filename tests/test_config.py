import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from zfrepro import config
from zfrepro.config import ROOT
from zfrepro.seeds import member_seed

EXPERIMENTS = config.options("experiment")
PROFILES = config.options("profile")


def command(*args: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "zfrepro.train", *args],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes_at_every_size(
    experiment: str, profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = config.compose_experiment(experiment, [f"profile={profile}"])
    (tmp_path / "params.yaml").write_text(f"profile: {profile}\nseed: 0\n")
    monkeypatch.setattr(config, "PARAMS", tmp_path / "params.yaml")
    assert config.compose_experiment(experiment) == found
    assert (found["name"], found["profile"]) == (experiment, profile)
    if profile == "fashion_mnist":  # whose clothes touch the border
        assert found["crop"] * 16 == found["data"]["image_size"] * 15
    else:
        assert found["crop"] * 8 == found["data"]["image_size"] * 7
    assert set(found["paper"]) == {"table", "row", "train_top1", "val_top1", "val_top5"}


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_file_says_how_to_run_it(experiment: str) -> None:
    text = (config.CONF / "experiment" / f"{experiment}.yaml").read_text()
    assert f"# python -m zfrepro.train +experiment={experiment}\n" in text


def test_the_paper_profile_is_the_papers() -> None:
    found = config.compose_experiment("tab3_zfnet", ["profile=paper"])
    assert (found["crop"], found["data"]["image_size"], found["model"]["width"]) == (224, 256, 1.0)
    training = found["training"]
    assert (training["batch"], training["lr"], training["momentum"]) == (128, 0.01, 0.9)
    assert (training["epochs"], training["max_filter_rms"], found["model"]["dropout"]) == (
        70,
        0.1,
        0.5,
    )
    assert [layer.get("maps") for layer in found["model"]["layers"].values()][:5] == [
        96, 256, 384, 384, 256,
    ]  # fmt: skip
    assert found["paper"]["val_top1"] == 38.4


def test_a_removed_layer_shows_in_the_resolved_configuration() -> None:
    found = config.compose_experiment("tab3_no_fc6", ["profile=paper"])
    assert found["model"]["name"] == "alexnet"
    assert found["model"]["layers"]["fc6"] is None
    assert found["model"]["layers"]["fc7"]["units"] == 4096
    assert found["paper"]["val_top1"] is None


def test_widths_scale_to_multiples_of_eight() -> None:
    layers = config.compose_experiment("tab3_zfnet", ["model.width=0.3"])["model"]["layers"]
    assert layers["conv1"]["maps"] == 32  # 28.8
    assert layers["conv3"]["maps"] == 112  # 115.2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+experiment=tab3_zfent", "tab3_zfnet"),
        ("profile=huge", "miniature"),
        ("model=resnet", "alexnet"),
        (
            "training.learning_rate=1",
            r"no key training\.learning_rate: did you mean training\.lr\?",
        ),
        ("learning_rate=1", r"did you mean training\.lr\?"),
        ("+data.learned=1", r"no key data\.learned.*known here: data\.name"),
        ("+experiment=[tab3_no_fc6,tab3_no_conv34]", r"one experiment a run.*--multirun"),
        ("+experiment=tab3_no_fc6,tab3_no_conv34", r"one experiment a run.*--multirun"),
        ("model=[zfnet,alexnet]", "one model a run"),
        ("tab3_zfnet", r"chosen with \+experiment=tab3_zfnet"),
        ("data=folder", "profile=folder"),
        ("data=imagenette", "profile=imagenette"),
        ("crop=100", r"crop is 100; it must be at most data\.image_size"),
        ("training.epochs=1,2", "one value a run.*--multirun"),
        ("~training.lr", "KEY=VALUE"),
        ("=3", "KEY=VALUE"),
        ("training.epochs=(3", "KEY=VALUE"),
        ("sede=1", r"no key sede.*seed"),
        ("training.epochs=???", r"training\.epochs"),
    ],
)
def test_what_does_not_exist_is_answered_with_what_does(override: str, message: str) -> None:
    overrides = [override] if "+experiment" in override else ["+experiment=tab3_zfnet", override]
    with pytest.raises(config.ConfigError) as error:
        config.compose(overrides)
    assert re.search(message, str(error.value))
    assert "\n" not in str(error.value)


def test_studies_of_two_seeds_share_no_network() -> None:
    drawn = {
        (base, member): member_seed(base, member) for base in range(21) for member in range(10)
    }
    assert len(set(drawn.values())) == len(drawn)
    assert all(0 <= seed < 2**32 for seed in drawn.values())
    first, second = (config.compose_experiment("tab2_zfnet_seed1", [f"seed={n}"]) for n in (0, 1))
    assert (first["seed"], second["seed"]) == (drawn[0, 1], drawn[1, 1])
    assert config.compose_experiment("tab3_zfnet", ["seed=1"])["seed"] == 1


NAMES = ["/a b/c(1),d=ö", "it's", "back\\slash\\'", "[x]", "{x: y}", "#1", "'", "a\\"]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_files_are_taken_as_they_stand(name: str) -> None:
    found = config.compose(["+experiment=tab3_zfnet", f"data.root={name}"])
    assert found["data"]["root"] == name
    model = config.compose_published(
        "torchvision_alexnet", [f"model.published.weights=/{name.lstrip('/')}"]
    )
    assert model["published"]["weights"] == f"/{name.lstrip('/')}"


def test_no_experiment_lists_them() -> None:
    with pytest.raises(config.ConfigError, match=r"tab3_alexnet, .*tab3_no_fc6, .*tab3_zfnet"):
        config.compose()


@pytest.mark.parametrize(
    "args",
    [["+experiment=nothing"], ["+experiment=tab3_zfnet", "seeed=1"], [], ["--experiment", "tab3"]],
)
def test_the_command_fails_in_one_message(args: list[str]) -> None:
    done = command(*args)
    assert done.returncode == 1
    assert re.search("^error: ", done.stderr, re.MULTILINE)
    assert "Traceback" not in done.stderr


def test_the_command_composes_what_the_stage_composes_from_anywhere(tmp_path: Path) -> None:
    done = command("+experiment=tab3_no_fc6", "--cfg", "job", "--resolve", cwd=tmp_path)
    (tmp_path / "shown.yaml").write_text(done.stdout)
    shown = config.load(tmp_path / "shown.yaml")
    assert shown == config.compose_experiment("tab3_no_fc6")
    assert [path.name for path in tmp_path.iterdir()] == ["shown.yaml"]


def test_resolved_configurations_survive_their_file(tmp_path: Path) -> None:
    found = config.compose_experiment("tab3_zfnet")
    (tmp_path / "c.yaml").write_text(config.to_yaml(found))
    assert config.load(tmp_path / "c.yaml") == found


def test_help_lists_experiments_and_profiles() -> None:
    done = command("--help")
    assert done.returncode == 0
    for name in [*EXPERIMENTS, *PROFILES]:
        assert re.search(rf"^ +{name}$", done.stdout, re.MULTILINE)


def test_help_is_there_at_once() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    command("-h")
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 1.5


def test_help_needs_no_torch() -> None:
    program = (
        "import sys; sys.argv = ['train', '--help']\n"
        "from zfrepro.train import main\n"
        "try:\n    main()\nfinally:\n    print('torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == "False"
