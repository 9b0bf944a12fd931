"""captum's methods."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from xai_course._validation import check_number, check_whole
from xai_course.attribution._question import NEEDED, Method, Question

if TYPE_CHECKING:
    import torch
    from torch import nn


def _numbers(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().cpu().numpy()


def _ask(kind: str, question: Question, **how: Any) -> np.ndarray:
    """Ask captum's class of this name; `how` are the keywords of its `attribute`."""
    from captum import attr

    if question.baseline is not None:
        # DeepLiftShap takes a single row for a mistake; twice the same row has the same mean.
        twice = kind == "DeepLiftShap" and len(question.baseline) == 1
        how["baselines"] = question.tensor(np.repeat(question.baseline, 1 + twice, axis=0))
    explainer = getattr(attr, kind)(question.module)
    return _numbers(explainer.attribute(question.tensor(question.X), target=question.target, **how))


def _smoothgrad(question: Question, sigma: float, n_samples: int) -> np.ndarray:
    from captum.attr import NoiseTunnel, Saliency

    how = {"nt_samples": n_samples, "stdevs": check_number(sigma, "sigma", above=0), "abs": False}
    tunnel, X = NoiseTunnel(Saliency(question.module)), question.tensor(question.X)
    return _numbers(tunnel.attribute(X, nt_type="smoothgrad", target=question.target, **how))


def _lrp(question: Question, epsilon: float) -> np.ndarray:
    from captum.attr import LRP
    from captum.attr._core.lrp import SUPPORTED_LAYERS_WITH_RULES as HAVE_RULES
    from captum.attr._utils.lrp_rules import EpsilonRule

    from xai_course.attribution._structure import without_flatten

    module = without_flatten(question.module)
    for layer in module.modules():
        if type(layer) in HAVE_RULES:
            layer.rule = EpsilonRule(check_number(epsilon, "epsilon", above=0))
    return _numbers(LRP(module).attribute(question.tensor(question.X), target=question.target))


def _layer(question: Question, layer: Any) -> nn.Module:
    """Return the copy's layer, by its name or by the layer of the module that was given."""
    # A piecewise linear network has no layers by name; those of its module have.
    given = question.given if hasattr(question.given, "named_modules") else question.module
    names = {part: name for name, part in given.named_modules() if name}
    name = layer if isinstance(layer, str) else names.get(layer)
    if name not in names.values():
        raise ValueError(f"layer must be one of {', '.join(names.values())}, got {layer!r}.")
    return question.module.get_submodule(name)


def _cam(question: Question, layer: Any, interpolate: str) -> np.ndarray:
    from captum.attr import LayerActivation
    from torch import nn

    maps = LayerActivation(question.module, _layer(question, layer)).attribute(
        question.tensor(question.X)
    )
    last = [part for part in question.module.modules() if isinstance(part, nn.Linear)][-1:]
    if last and maps.ndim == 4 and last[0].in_features == maps.shape[1]:
        weight = last[0].weight[question.target]
        found = (maps * weight[:, None, None]).sum(dim=1, keepdim=True)
        rest = question.ask(question.X)[:, question.target] - _numbers(found.mean((1, 2, 3)))
        bias = 0.0 if last[0].bias is None else last[0].bias[question.target].item()
        if np.allclose(rest, bias, rtol=1e-4, atol=1e-4 * np.abs(_numbers(found)).max(initial=0)):
            return _enlarge(found, question, interpolate)
    raise ValueError(
        f"cam needs a layer that is followed by the mean over each map, one nn.Linear and nothing "
        f"else; the mean of the map of {layer!r} does not give the output. Name the last layer "
        "before the mean (the ReLU, not the convolution), or use grad_cam."
    )


def _grad_cam(question: Question, layer: Any, relu: bool, interpolate: str) -> np.ndarray:
    from captum.attr import LayerGradCam

    explainer = LayerGradCam(question.module, _layer(question, layer))
    how = {"target": question.target, "relu_attributions": relu}
    return _enlarge(explainer.attribute(question.tensor(question.X), **how), question, interpolate)


def _enlarge(found: torch.Tensor, question: Question, mode: str) -> np.ndarray:
    from captum.attr import LayerAttribution

    shape = question.X.shape
    if found.ndim != 4 or len(shape) != 4:
        raise ValueError(
            "A class activation map needs images, shape (n, channels, height, width), and a layer "
            f"that returns maps, got shape {shape} and {found.ndim} dimensions."
        )
    large = LayerAttribution.interpolate(found.detach(), shape[2:], mode)
    return np.broadcast_to(_numbers(large), shape)


def _occlusion(question: Question, window: int, stride: int) -> np.ndarray:
    shape = question.X.shape[1:]
    channels, sides = shape[:-2], shape[-2:]  # a row of a table has one side
    check_whole(window, "window", 1, min(sides))
    check_whole(stride, "stride", 1, window)
    size, step = ((*channels, *[length] * len(sides)) for length in (window, stride))
    return _ask("Occlusion", question, sliding_window_shapes=size, strides=step)


def _feature_ablation(question: Question, groups: Any) -> np.ndarray:
    if groups is not None:
        groups = np.asarray(groups)
        if groups.shape != question.X.shape[1:] or groups.dtype.kind not in "iu":
            raise ValueError(f"groups must be whole numbers of shape {question.X.shape[1:]}.")
        groups = question.tensor(groups[None]).long()
    return _ask("FeatureAblation", question, feature_mask=groups)


def _method(answer: Any, *needs: Any, **options: Any) -> Method:
    answer = partial(_ask, answer) if isinstance(answer, str) else answer
    return Method(answer, "captum.attr", "module", *needs, options=options)


METHODS = {
    "saliency": _method("Saliency", abs=False),
    "input_x_gradient": _method("InputXGradient"),
    "smoothgrad": _method(_smoothgrad, sigma=NEEDED, n_samples=50),
    "integrated_gradients": _method(
        "IntegratedGradients", "point", True, n_steps=50, internal_batch_size=None
    ),
    "lrp": _method(_lrp, epsilon=1e-9),
    "deeplift": _method("DeepLift", "point", True),
    "deeplift_shap": _method("DeepLiftShap", "background", True),
    "gradient_shap": _method("GradientShap", "background", True, n_samples=50, stdevs=0.0),
    "guided_backprop": _method("GuidedBackprop"),
    "deconvolution": _method("Deconvolution"),
    "cam": _method(_cam, layer=NEEDED, interpolate="bilinear"),
    "grad_cam": _method(_grad_cam, layer=NEEDED, relu=True, interpolate="bilinear"),
    "occlusion": _method(_occlusion, "point", window=1, stride=1),
    "feature_ablation": _method(_feature_ablation, "point", groups=None),
}
