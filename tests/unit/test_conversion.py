"""Torch modules in and out: what is read is what the module computes, or it is refused."""

import pytest
import torch
from torch import nn

from xai_course.conversion import split_link

# The link at the end


@pytest.mark.parametrize(
    ("end", "link", "function"),
    [
        ([nn.Sigmoid()], "sigmoid", torch.sigmoid),
        ([nn.Softmax(dim=1)], "softmax", lambda z: z.softmax(1)),
        ([nn.Softmax(dim=-1), nn.Identity()], "softmax", lambda z: z.softmax(1)),
        ([nn.LogSoftmax(dim=1), nn.Flatten()], "log_softmax", lambda z: z.log_softmax(1)),
        ([nn.Sequential(nn.Identity(), nn.Sequential(nn.Sigmoid()))], "sigmoid", torch.sigmoid),
    ],
)
def test_a_link_at_the_end_is_split_off(end, link, function):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 5), nn.Sigmoid(), nn.Linear(5, 3), *end)
    X = torch.randn(20, 4)
    outputs = module(X)
    before, found = split_link(module)
    assert found == link
    assert torch.equal(function(before(X)), outputs)
    assert torch.equal(module(X), outputs)  # the module stays as it was
    assert before[0] is module[0]
    assert before.state_dict().keys() == module.state_dict().keys()


class Doubled(nn.Sequential):
    def forward(self, x):
        return 2 * super().forward(x)


class Moved(nn.Sigmoid):
    def forward(self, x):
        return super().forward(x) + 1


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 1)),
        nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.ReLU()),
        nn.Sequential(nn.Linear(2, 2), nn.Softmax(dim=0)),
        Doubled(nn.Linear(2, 2), nn.Sigmoid()),
        nn.Sequential(nn.Linear(2, 2), Moved()),
        nn.Sequential(),
        nn.Linear(2, 2),
    ],
)
def test_anything_else_has_no_link(module):
    assert split_link(module) == (module, None)


def test_a_replaced_forward_is_no_link():
    module = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid())
    module[1].forward = lambda z: 2 * z
    assert split_link(module) == (module, None)
