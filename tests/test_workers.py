"""How worker processes share the cores, and how they end."""

import os
import time

import pytest

from zfrepro.cores import cores
from zfrepro.sharing import at_once, gpus
from zfrepro.workers import THREADS, shared_map, worker_processes


def environment(_: object = None) -> list[str | None]:
    return [os.environ.get(name) for name in THREADS]


def end(_: object) -> None:
    os._exit(1)


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)


def test_workers_share_the_cores_and_this_process_keeps_its_own() -> None:
    with worker_processes(2) as pool:
        assert pool.submit(environment).result() == [str(max(1, cores() // 2))] * len(THREADS)
    assert environment() == [None] * len(THREADS)


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with worker_processes(2) as pool:
        assert pool.submit(environment).result()[0] == "3"
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_one_worker_is_this_process() -> None:
    with shared_map(1) as each:
        assert list(each(lambda _: os.getpid(), range(2))) == [os.getpid()] * 2
    with shared_map(2) as each:
        assert list(each(abs, [-1, 2])) == [1, 2]


def test_nothing_waits_for_a_worker_that_has_ended() -> None:
    started = time.monotonic()
    with pytest.raises(ChildProcessError, match="killed, most likely since"), shared_map(2) as each:
        list(each(end, [None]))
    assert time.monotonic() - started < 30


def visible(_: object) -> str | None:
    time.sleep(0.2)  # so that the other worker has one as well
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def test_each_worker_sees_one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with shared_map(2, ["3", "5"]) as each:
        assert set(each(visible, range(8))) == {"3", "5"}
    with shared_map(2) as each:
        assert set(each(visible, range(2))) == {None}


def test_networks_are_shared_out_to_the_gpus_that_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,4,6")
    trainer = {"together": "gpus", "accelerator": "gpu"}
    assert gpus(trainer) == ["1", "4", "6"]
    assert at_once(trainer) == 3
    assert gpus({**trainer, "accelerator": "cpu"}) == gpus({**trainer, "together": "all"}) == []
    assert at_once({**trainer, "accelerator": "cpu"}) == 1
    assert at_once({**trainer, "together": "none"}) == 1
