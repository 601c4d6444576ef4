"""Memory that is freed stays with the process."""

import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from zfrepro.models.memory import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(2):
        torch.ones(40 * 2**20 // 4)  # 10,240 pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

kept = keep_freed_memory() if {keep} else False
print(kept, min(faults() for _ in range(6)))  # the heap grows to its size first
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a setting of glibc")
def test_large_blocks_are_mapped_once():
    def run(keep: bool) -> tuple[str, int]:
        command = [sys.executable, "-c", FAULTS.format(keep=keep)]
        kept, count = subprocess.run(
            command, capture_output=True, text=True, check=True
        ).stdout.split()
        return kept, int(count)

    (kept, few), (_, many) = run(True), run(False)
    assert kept == "True"
    assert few < 100
    assert many > 10_000
