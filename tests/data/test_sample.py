import numpy as np

from zfrepro.data.sample import stratified_sample


def test_a_stratified_sample_takes_every_class_in_turn() -> None:
    labels = np.repeat(np.arange(6), [50, 3, 20, 20, 1, 6])
    chosen = stratified_sample(labels, 13, seed=2)
    assert len(set(chosen.tolist())) == 13
    assert set(labels[chosen[:6]]) == set(range(6))
    assert set(labels[chosen[6:11]]) == set(range(6)) - {4}
    assert stratified_sample(labels, 13, seed=2).tolist() == chosen.tolist()
    assert stratified_sample(labels, 13, seed=3).tolist() != chosen.tolist()
    assert sorted(stratified_sample(labels, 1000, seed=0)) == list(range(100))
