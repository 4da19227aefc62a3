"""The network of the Frechet inception distance is pytorch-fid's, bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support import Twins, compare, from_torch
from torch_peer import copy_weights, count, end_points, import_beside_torch, unequal

NAMES = {
    "maxpool1": "MaxPool_3a_3x3",
    "maxpool2": "MaxPool_5a_3x3",
    "dropout": "PreLogits",
    "fc": "Logits",
}
"""Its names to ours."""


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return its network as it patches torchvision's, without the weights that it downloads."""
    theirs = import_beside_torch("pytorch_fid.inception")
    plain = theirs._inception_v3(num_classes=1008, aux_logits=False, weights=None)
    monkeypatch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: plain.state_dict())
    return theirs.fid_inception_v3().eval()


def test_every_end_point_is_bit_identical(
    twins: Callable[..., Twins], peer: Any, figure: Callable[..., None]
) -> None:
    pair = twins("inception_v3_fid")
    copy_weights(pair.torch_model, peer)
    wanted = end_points(peer, pair.torch_images, NAMES)
    assert set(pair.end_points) <= wanted.keys()
    assert unequal(pair.torch_tensors, wanted) == []
    comparison = compare(pair.torch_points, {n: from_torch(t) for n, t in wanted.items()})
    figure("inception_v3_fid, torch", "pytorch-fid", comparison)
    assert count(peer).params == pair.network.totals().params == 23_885_392
