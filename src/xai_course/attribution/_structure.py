"""What a module is made of, and which rules of propagation would go wrong on it unnoticed.

Methods such as DeepLIFT replace the gradients of the *modules* that they know. What they do not
know, such as a function called in `forward`, keeps its plain gradient, and nothing tells.
"""

from __future__ import annotations

from collections import Counter

from torch import fx, nn

from xai_course.conversion import split_link

_STILL = {"Dropout", "Identity", "Flatten"}
_SIZES = ("1d", "2d", "3d")
_LINEAR = {"Linear", *_STILL} | {
    kind + size for kind in ("Conv", "AvgPool", "AdaptiveAvgPool", "BatchNorm") for size in _SIZES
}
_CURVES = {"ReLU", "LeakyReLU", "ELU", "Sigmoid", "Tanh", "Softplus"}
_MAXIMA = {"MaxPool" + size for size in _SIZES}
_RELEVANT = {"Linear", "Conv2d", "AvgPool2d", "AdaptiveAvgPool2d", "BatchNorm2d"}
_RELEVANT |= {"Addition_Module", *_MAXIMA}
_BENT = {"ReLU", "Tanh"}
# Functions that only move numbers, and functions whose gradient is the rule.
_MOVES = {"flatten", "view", "reshape", "size", "getattr", "getitem", "squeeze", "unsqueeze"}
_MOVES |= {"cat", "clone", "contiguous"}
_ASKS = ("size", getattr)  # these read no numbers
_SUMS = _MOVES | {"add", "iadd", "sub", "mean", "sum"}

# What each method treats rightly: modules, functions, the modules that may be used only once
# because what they saw is kept in one place, and those that must be the only reader of their input
# because captum hooks that tensor, and so changes what goes to its other readers, too.
_RULES = {
    "deeplift": (_LINEAR | _CURVES | {"Unflatten"}, _SUMS, _CURVES, _CURVES),
    "shap_deep": (_LINEAR | _CURVES | _MAXIMA, _SUMS, _CURVES | _MAXIMA, ()),
    "guided_backprop": (_LINEAR | _MAXIMA | {"ReLU", "Unflatten"}, _SUMS, (), {"ReLU"}),
    "lrp": (_RELEVANT | _STILL | _BENT | {"Unflatten"}, _MOVES | {"relu"}, _RELEVANT, _BENT),
}
_RULES |= {"deeplift_shap": _RULES["deeplift"], "deconvolution": _RULES["guided_backprop"]}

_KNOWN = ("torch.nn.", "captum.")  # packages whose modules are taken by their names
_LINKS = {"Sigmoid", "Softmax", "LogSoftmax", "sigmoid", "softmax", "log_softmax"}
_WAYS_OUT = {
    "relu": "give each activation a module of its own, as in self.first = nn.ReLU()",
    "MaxPool": "use shap_deep, whose values add up, or average pooling",
    "add": "make the sum a module: captum.attr._utils.custom_modules.Addition_Module",
}
_OTHER_WAY = "use integrated_gradients, which needs nothing but the gradient"


class _Tracer(fx.Tracer):
    def is_leaf_module(self, layer: nn.Module, name: str) -> bool:
        return not isinstance(layer, nn.Sequential) and type(layer).__module__.startswith(_KNOWN)


def _trace(module: nn.Module) -> fx.GraphModule:
    return fx.GraphModule(module, _Tracer().trace(module))


def _calls(module: nn.Module) -> list[tuple[str, nn.Module | None, int]] | None:
    """Return what a forward calls: the name, the module, and how many read what it reads.

    None if the forward cannot be followed.
    """
    try:
        graph = _trace(module)
    except Exception:  # whatever a forward may do
        return None
    calls = []
    for node in graph.graph.nodes:
        if node.op == "call_module":
            layer = graph.get_submodule(node.target)
            readers = [
                u for one in node.all_input_nodes for u in one.users if u.target not in _ASKS
            ]
            calls.append((type(layer).__name__, layer, len(readers)))
        elif node.op.startswith("call"):
            name = getattr(node.target, "__name__", str(node.target))
            calls.append((name.rstrip("_"), None, 1))
    return calls


def ends_in_link(module: nn.Module) -> str | None:
    """Return what turns a module's logits into probabilities at its end, if anything does."""
    link = split_link(module)[1]
    names = [name for name, _, _ in _calls(module) or ()] if link is None else [type(link).__name__]
    names = [name for name in names if name not in _MOVES | _STILL]
    return names[-1] if names and names[-1] in _LINKS else None


def check_structure(method: str, module: nn.Module) -> None:
    """Raise a `ValueError` if a method would be wrong on this module without saying so."""
    if method not in _RULES:
        return
    modules, functions, once, alone = _RULES[method]
    calls = _calls(module)
    if calls is None:
        raise ValueError(
            f"{method} has rules for some layers only, and torch.fx cannot follow this module to "
            f"see whether it has others: {_OTHER_WAY}."
        )
    for name, layer, n_readers in calls:
        if name not in (functions if layer is None else modules):
            way = next((way for key, way in _WAYS_OUT.items() if name.startswith(key)), _OTHER_WAY)
            what = f"function {name}" if layer is None else f"layer {name}"
            raise ValueError(f"{method} has no right rule for the {what} in this module: {way}.")
        if name in alone and n_readers > 1:
            raise ValueError(
                f"{method} changes the gradient of what goes into a {name}, and here that is read "
                "elsewhere, too: give the layer a copy, self.act(z.clone()), or use shap_deep."
            )
    used = Counter(layer for name, layer, _ in calls if layer is not None and name in once)
    for layer, times in used.items():
        if times > 1:
            raise ValueError(
                f"{method} remembers one use of each layer, and {layer} is used {times} times: "
                "give each use a module of its own."
            )


def without_flatten(module: nn.Module) -> nn.Module:
    """Return the module with methods in the place of layers that reshape; layers are shared."""
    graph = _trace(module)
    for node in graph.graph.nodes:
        layer = graph.get_submodule(node.target) if node.op == "call_module" else None
        if isinstance(layer, nn.Flatten):
            method, settings = "flatten", (layer.start_dim, layer.end_dim)
        elif isinstance(layer, nn.Identity):
            method, settings = "flatten", (-1,)  # the last dimension alone: nothing moves
        elif isinstance(layer, nn.Unflatten):
            method, settings = "unflatten", (layer.dim, layer.unflattened_size)
        else:
            continue
        node.op, node.target = "call_method", method
        node.args, node.kwargs = (node.all_input_nodes[0], *settings), {}
    graph.delete_all_unused_submodules()
    graph.recompile()
    return graph
