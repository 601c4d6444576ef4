"""A preparation that is killed, in the middle of anything, and started again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from pictures import small_tree
from test_prepare import make, snapshot

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys, time
from pathlib import Path
from zfrepro import processes
from zfrepro.data import prepare as module, shards
from zfrepro.data.sources.folder import read_folder

def main():
    root, work, workers, storage = Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]
    processes.exit_on_signals()
    source = read_folder(root, val_share=0.2, split_seed=0)
    print("begin", flush=True)
    module.prepare(source, work, image_size=32, filter="bilinear", storage=storage,
                   jpeg_quality=90, workers=int(workers), fingerprint="f", progress=False)
    print("end", flush=True)

if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return small_tree(tmp_path_factory.mktemp("tree"), train=220, val=40)  # 14 shards and 3


@pytest.fixture(scope="module")
def undisturbed(tree, tmp_path_factory):
    """What an undisturbed preparation makes, by storage."""
    found = {}
    for storage in ("uint8", "jpeg"):
        work = tmp_path_factory.mktemp(storage)
        make(tree, work, storage=storage)
        found[storage] = snapshot(work)
    return found


def start(script, tree, work, workers=2, storage="uint8"):
    arguments = [sys.executable, script, tree, work, str(workers), storage]
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return path


def wait_for(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"no {what} in {seconds} s"
        time.sleep(0.002)


def records(work):
    return len(list((work / "shards").glob("*.parquet.gz")))


@pytest.mark.parametrize(("storage", "done"), [("uint8", 1), ("jpeg", 6), ("uint8", 14)])
def test_sigkill_at_any_shard(tree, undisturbed, script, storage, done):
    work = script.parent / "work"
    process = start(script, tree, work, storage=storage)
    wait_for(lambda: records(work) >= done or process.poll() is not None, "shards")
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    psutil.wait_procs(workers, timeout=10)
    assert not [w for w in workers if w.is_running() and w.status() != psutil.STATUS_ZOMBIE]
    make(tree, work, storage=storage)
    assert snapshot(work) == undisturbed[storage]


STEPS = {
    "inside a shard": "shards._image",
    "before a shard's record": "shards._write_record",
    "before the index": "module.merge",
    "before the mean": "module._mean_image",
    "before the manifest": "module.write_json",
    "before the shards are removed": "module.shutil.rmtree",
}


@pytest.mark.parametrize(
    ("step", "storage"),
    [
        *((step, "jpeg") for step in STEPS),
        ("inside a shard", "uint8"),
        ("before the mean", "uint8"),
    ],
)
def test_sigkill_at_each_step(tree, undisturbed, tmp_path, step, storage):
    """In a process that kills itself the second time it comes to the step."""
    script, work = tmp_path / "script.py", tmp_path / "work"
    owner, name = STEPS[step].rsplit(".", 1)
    trap = f"""
import os, signal
step, calls = {owner}.{name}, []
def trap(*arguments, **options):
    calls.append(1)
    if len(calls) >= {1 if name in ("rmtree", "_mean_image") else 2}:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(*arguments, **options)
{owner}.{name} = trap
"""
    script.write_text(SCRIPT.replace("\ndef main", f"{trap}\ndef main"))
    process = start(script, tree, work, workers=1, storage=storage)
    assert process.wait(60) == -signal.SIGKILL
    make(tree, work, storage=storage)
    assert snapshot(work) == undisturbed[storage]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)]
)
def test_a_signal_ends_all_processes_and_leaves_no_result(tree, script, tmp_path, number, code):
    work = tmp_path / "work"
    process = start(script, tree, work)
    wait_for(lambda: records(work) >= 2, "shards")
    workers = psutil.Process(process.pid).children(recursive=True)
    assert workers
    process.send_signal(number)
    assert process.wait(30) == code
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
    assert not (work / "manifest.json").exists()


def test_a_killed_worker_is_an_error_not_a_hang(tree, script, tmp_path):
    work = tmp_path / "work"
    process = start(script, tree, work)
    wait_for(lambda: records(work) >= 1, "shards")
    children = psutil.Process(process.pid).children()
    next(c for c in children if "spawn_main" in " ".join(c.cmdline())).kill()
    assert process.wait(30) == 1


def test_the_manifest_comes_last(tree, tmp_path, monkeypatch):
    from zfrepro.data import preview

    def fail(*_):
        raise RuntimeError("no font")

    monkeypatch.setattr(preview, "write", fail)
    with pytest.raises(RuntimeError, match="no font"):
        make(tree, tmp_path / "work")
    assert not (tmp_path / "work" / "manifest.json").exists()
    monkeypatch.undo()
    assert (
        json.loads((tmp_path / "work" / "shards" / "plan.json").read_text())["fingerprint"] == "f"
    )
    make(tree, tmp_path / "work")
