"""What the emitters of this package write of torch: the lists that the gate holds them to."""

from __future__ import annotations

_OF = {
    "torch": "Tensor cat log sigmoid split tanh",
    "torch.nn": """
        AdaptiveAvgPool2d AvgPool2d BatchNorm1d BatchNorm2d Conv2d Dropout Flatten GELU Identity
        LayerNorm Linear LocalResponseNorm MaxPool2d Module Parameter ReLU ReLU6 SiLU Sigmoid
        Softmax Tanh ZeroPad2d
    """,
    "torch.nn.functional": "cross_entropy gelu nll_loss relu relu6 silu softmax",
    "torch.nn.init": "constant_ normal_ ones_ trunc_normal_ uniform_ xavier_uniform_ zeros_",
}
NAMES = frozenset(f"{module}.{name}" for module, names in _OF.items() for name in names.split())

ATTRIBUTES = frozenset(
    """
    append bias conv depthwise get get_submodule items modules named_modules named_parameters ndim
    norm parameters pointwise register_parameter reset_parameters reset_running_stats setdefault
    size sizes training weight
    """.split()
)
