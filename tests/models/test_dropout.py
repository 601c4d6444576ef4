"""Dropout's mask belongs to the global batch, not to the process."""

import pytest
import torch
from torch import nn

from zfrepro.models.dropout import Dropout, set_shard


def dropped(p, x, rank=0, world=1, seed=5):
    torch.manual_seed(seed)
    return Dropout(p, rank, world).train()(x)


def test_values_are_zero_or_scaled_and_keep_their_mean():
    out = dropped(0.25, torch.ones(400, 500))
    assert out.unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert float(out.mean()) == pytest.approx(1, abs=0.01)


def test_evaluation_and_p_zero_change_nothing_and_draw_nothing():
    x = torch.randn(3, 4)
    before = torch.get_rng_state()
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0).train()(x) is x
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("world", [2, 4])
def test_processes_together_drop_what_one_drops(world, dtype):
    x = torch.randn(8, 1000).to(dtype)
    whole = dropped(0.5, x)
    parts = [dropped(0.5, part, rank, world) for rank, part in enumerate(x.chunk(world))]
    assert torch.equal(torch.cat(parts), whole)


def test_processes_leave_their_streams_in_step():
    x = torch.randn(4, 10)
    following = []
    for rank in (0, 1):
        dropped(0.5, x, rank, 2)
        following.append(torch.rand(1))
    assert following[0] == following[1]


def test_the_gradient_passes_where_the_value_does():
    x = torch.randn(6, 50, requires_grad=True)
    out = dropped(0.5, x)
    out.sum().backward()
    assert torch.equal(x.grad, (out != 0) * 2.0)


def test_set_shard_reaches_every_dropout_and_checks_the_rank():
    net = nn.Sequential(Dropout(0.5), nn.Sequential(Dropout(0.5)))
    set_shard(net, 1, 3)
    assert [(m.rank, m.world) for m in net.modules() if isinstance(m, Dropout)] == [(1, 3)] * 2
    with pytest.raises(ValueError, match="rank 2 is none of 2"):
        set_shard(net, 2, 2)
