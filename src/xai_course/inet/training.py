"""Train lambda-nets: thousands of small networks as one tensor program.

Source: Marton, Luedtke and Bartelt (2022), Algorithm 1, Tables 1 and 2. Explained in the chapter
*networks-as-data*.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as write_safetensors
from tqdm import tqdm

from xai_course._storage import replace_file
from xai_course._validation import check_whole, is_number
from xai_course.inet.lambda_nets import LambdaNets, concatenate
from xai_course.inet.polynomials import SparsePolynomial, evaluate_polynomials, stacked

__all__ = ["RECIPES", "Recipe", "train_lambda_nets"]

_FORMAT = "xai-course lambda-nets 1"
# Networks that are stepped together: on a CPU more of them leave the cache; a GPU takes a whole
# shard, because there a step costs about the same for few networks and for many.
_AT_ONCE = {"cpu": 64}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a lambda-net is trained: mean absolute error, Adam, batches of 64.

    Parameters
    ----------
    learning_rate : float
        Of Adam; with ``cosine`` the first one.
    epochs : int
        Most epochs.
    cosine : bool
        Whether the rate falls to zero along half a cosine.
    patience : int or None
        Stop after so many epochs without a lower validation error, and take the best weights.
        None runs all epochs and takes the last weights.
    min_delta : float
        How much lower the validation error has to be to count.
    batch_size : int

    Raises
    ------
    ValueError
        If a value lies outside its range.
    """

    learning_rate: float
    epochs: int
    cosine: bool = False
    patience: int | None = None
    min_delta: float = 0.0
    batch_size: int = 64

    def __post_init__(self) -> None:
        check_whole(self.epochs, "epochs", 0)
        check_whole(self.batch_size, "batch_size", 1)
        if self.patience is not None:
            check_whole(self.patience, "patience", 1)
        if not is_number(self.learning_rate) or not 0 < self.learning_rate < math.inf:
            raise ValueError(
                f"learning_rate must be a positive number, got {self.learning_rate!r}."
            )
        _check_from_zero(self.min_delta, "min_delta")

    def rate(self, progress: float) -> float:
        """Return the learning rate after a share of all steps."""
        if not self.cosine:
            return self.learning_rate
        return self.learning_rate * (1 + math.cos(math.pi * progress)) / 2


def _check_from_zero(value: object, name: str) -> None:
    if not is_number(value) or not 0 <= value < math.inf:
        raise ValueError(f"{name} must be a number from 0 on, got {value!r}.")


#: ``paper``: Table 2, whose "early stopping" is read as 10 epochs without a lower validation error;
#: the authors' code asks for 1e-4 (`min_delta`), which ends training a quarter earlier. ``cheap``:
#: as accurate, in a quarter of the epochs.
RECIPES = {
    "paper": Recipe(learning_rate=1e-3, epochs=1000, patience=10),
    "cheap": Recipe(learning_rate=0.02, epochs=50, cosine=True),
}


@dataclass(frozen=True, kw_only=True)
class _Settings:
    """All that decides the result beside the polynomials."""

    n_hidden: int
    recipe: Recipe
    initialisation: str
    noise: float
    n_samples: int
    seed: int
    device: str

    def rows(self) -> tuple[int, int]:
        """Return the number of training and of validation rows; the rest are for testing."""
        kept = self.n_samples - self.n_samples // 4
        return kept - kept // 4, kept // 4


def train_lambda_nets(
    polynomials: Sequence[SparsePolynomial],
    *,
    n_hidden: int | None = None,
    recipe: str | Recipe = "cheap",
    initialisation: str = "independent",
    noise: float = 0.0,
    n_samples: int = 5000,
    seed: int = 0,
    folder: str | Path | None = None,
    shard_size: int = 256,
    n_jobs: int | None = None,
    device: str = "cpu",
    progress: bool = True,
) -> LambdaNets:
    """Train one network on each polynomial, many at a time.

    Each network has its own rows, uniform on the unit cube, and its own first weights (Glorot
    uniform, biases zero). 9/16 of the rows are for training, 3/16 for validation, 1/4 for the test
    error, which is taken against the polynomial without noise: 2813, 937 and 1250 of 5000.

    The work is cut into shards. A shard depends on its polynomials and settings alone, so the
    result is the same for any number of workers. Shards are joblib tasks: under
    ``joblib.parallel_config(backend="dask")`` a Dask cluster trains them (extra ``cluster``).

    Parameters
    ----------
    polynomials : sequence of SparsePolynomial
        Target functions, all in the same variables.
    n_hidden : int, optional
        Hidden neurons; 5 times the largest number of terms if not given, as in Table 2.
    recipe : {"cheap", "paper"} or Recipe
    initialisation : {"independent", "shared"}
        First weights of its own for each network, or the same for all as in the authors' code.
    noise : float
        Standard deviation of the noise on training and validation targets, in ranges of the
        target over the rows (Table 1).
    n_samples : int
        Rows per network, at least 16.
    seed : int
    folder : path, optional
        Where finished shards are kept, one safetensors file each. A call that was stopped goes on
        from them; a damaged one is found by its hash and made again.
    shard_size : int
        Networks per shard; part of the settings. A GPU steps a shard at once: take thousands.
    n_jobs : int, optional
        Workers, as in joblib. None takes what ``joblib.parallel_config`` says, or one.
    device : str
        Where torch computes: ``"cpu"`` or ``"cuda"``.
    progress : bool
        Whether to show a progress bar with networks per second.

    Returns
    -------
    LambdaNets
        With `test_error` and `epochs`, in the order of the polynomials.

    Raises
    ------
    TypeError
        If something in `polynomials` is not a `SparsePolynomial`.
    ValueError
        If there is no polynomial, they differ in their variables, or a setting is unknown.
    OSError
        If a shard cannot be written, or the folder holds shards of other settings.
    """
    polynomials = list(polynomials)
    settings = _settings(
        polynomials, n_hidden, recipe, initialisation, noise, n_samples, seed, device
    )
    check_whole(shard_size, "shard_size", 1)
    starts = range(0, len(polynomials), shard_size)
    shards = [polynomials[first : first + shard_size] for first in starts]
    store = None if folder is None else _Store(Path(folder), settings, shards)
    done = {} if store is None else store.read_all()
    tasks = (
        delayed(_train_shard)(shards[k], settings, k, starts[k])
        for k in range(len(shards))
        if k not in done
    )
    parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    ready = sum(map(len, done.values()))  # not counted in the networks per second
    total = len(polynomials)
    with tqdm(total=total, initial=ready, unit="net", disable=not progress, ascii=True) as bar:
        for number, nets in parallel(tasks):
            if store is not None:
                store.write(number, nets)
            done[number] = nets
            bar.update(len(nets))
    return concatenate([done[k] for k in range(len(shards))])


def _settings(
    polynomials: Sequence[SparsePolynomial],
    n_hidden: int | None,
    recipe: str | Recipe,
    initialisation: str,
    noise: float,
    n_samples: int,
    seed: int,
    device: str,
) -> _Settings:
    if not polynomials:
        raise ValueError("At least one polynomial is needed, got none.")
    for k, g in enumerate(polynomials):
        if not isinstance(g, SparsePolynomial):
            raise TypeError(f"Polynomial {k} is no SparsePolynomial but a {type(g).__name__}.")
    widths = sorted({g.n_variables for g in polynomials})
    if len(widths) > 1:
        raise ValueError(f"The polynomials must have the same variables, got {widths}.")
    if not isinstance(recipe, Recipe):
        if not isinstance(recipe, str) or recipe not in RECIPES:
            raise ValueError(
                f"recipe must be one of {sorted(RECIPES)} or a Recipe, got {recipe!r}."
            )
        recipe = RECIPES[recipe]
    if initialisation not in ("independent", "shared"):
        raise ValueError(
            f"initialisation must be 'independent' or 'shared', got {initialisation!r}."
        )
    _check_from_zero(noise, "noise")
    if n_hidden is None:
        n_hidden = 5 * max(len(g) for g in polynomials)
    check_whole(n_hidden, "n_hidden", 1)
    check_whole(n_samples, "n_samples", 16)
    check_whole(seed, "seed", 0)
    if not re.fullmatch(r"cpu|cuda(:\d+)?", str(device)):
        raise ValueError(f"device must be 'cpu' or 'cuda', got {device!r}.")
    return _Settings(
        n_hidden=int(n_hidden),
        recipe=recipe,
        initialisation=initialisation,
        noise=float(noise),
        n_samples=int(n_samples),
        seed=int(seed),
        device=str(device),
    )


# One shard


def _train_shard(
    polynomials: list[SparsePolynomial], settings: _Settings, number: int, first: int
) -> tuple[int, LambdaNets]:
    """Train the networks of one shard; `first` is the index of its first network."""
    kind = torch.device(settings.device).type
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={settings.device!r}, but torch sees no GPU here.")
    at_once = _AT_ONCE.get(kind, len(polynomials))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the workers are the parallel part, and tensors are small
    try:
        parts = []
        for start in range(0, len(polynomials), at_once):
            part = polynomials[start : start + at_once]
            parts.append(_train_stack(part, settings, first + start))
        return number, concatenate(parts)
    finally:
        torch.set_num_threads(threads)


def _train_stack(
    polynomials: list[SparsePolynomial], settings: _Settings, first: int
) -> LambdaNets:
    """Train some networks as one stack of tensors."""
    X, targets, noisy, weights = _draw(polynomials, settings, first)
    n_train, n_valid = settings.rows()
    stack = _Stack(weights, settings)
    tensors = (torch.as_tensor(a, device=settings.device) for a in (X, noisy))
    inputs, outputs = tensors
    train = slice(0, n_train)
    valid = slice(n_train, n_train + n_valid)
    stack.fit(inputs[:, :, train], outputs[:, train], inputs[:, :, valid], outputs[:, valid], first)
    test = slice(n_train + n_valid, None)
    arrays = stack.weights()
    nets = LambdaNets(*arrays)
    error = np.abs(nets.predict(X[:, :-1, test].transpose(0, 2, 1)) - targets[:, test]).mean(axis=1)
    # Rounded as in the file of a shard, so that a run that went on from one ends the same.
    error = error.astype(np.float32)
    return LambdaNets(*arrays, test_error=error, epochs=stack.epochs_done)


def _draw(
    polynomials: list[SparsePolynomial], settings: _Settings, first: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Draw rows, targets and first weights of each network from the seed and its own index.

    Inputs have shape (N, n + 1, rows): variables before rows, and a last one that is always 1.
    """
    n_nets, n_variables = len(polynomials), polynomials[0].n_variables
    shape = (n_nets, n_variables + 1, settings.n_samples)
    X = np.ones(shape, dtype=np.float32)
    noise = np.empty((n_nets, settings.n_samples))
    hidden = np.empty((n_nets, settings.n_hidden, n_variables))
    output = np.empty((n_nets, settings.n_hidden))
    for k in range(n_nets):
        rows, errors, start = (
            np.random.default_rng(source)
            for source in np.random.SeedSequence([settings.seed, first + k]).spawn(3)
        )
        if settings.initialisation == "shared":
            start = np.random.default_rng([settings.seed, 1])
        X[k, :-1] = rows.random(shape[:0:-1], dtype=np.float32).T[:-1]
        noise[k] = errors.standard_normal(settings.n_samples)
        for weights, outputs in ((hidden[k], settings.n_hidden), (output[k], 1)):
            limit = math.sqrt(6 / (weights.shape[-1] + outputs))
            weights[...] = start.uniform(-limit, limit, weights.shape)
    points = X[:, :-1].transpose(0, 2, 1).astype(np.float64)
    targets = evaluate_polynomials(polynomials, points)
    spread = np.ptp(targets, axis=1)[:, None]
    noisy = (targets + settings.noise * spread * noise).astype(np.float32)
    return X, targets, noisy, (hidden.astype(np.float32), output.astype(np.float32))


class _Stack:
    """Networks that take the same steps at the same time; each has its own rows and weights.

    Hidden signals have shape (networks, neurons, rows): so each product is one batched matrix
    product, and everything else runs along the rows. With the mean absolute error the gradient at
    the output is a sign, and one product of masked signs with the inputs gives the gradients of
    both layers.
    """

    def __init__(self, weights: tuple[np.ndarray, np.ndarray], settings: _Settings) -> None:
        hidden, output = weights
        self.settings, self.recipe = settings, settings.recipe
        n_nets, self.n_hidden, n_variables = hidden.shape
        self.width = n_variables + 1
        flat = torch.zeros(n_nets, self.n_hidden * (self.width + 1) + 1, dtype=torch.float32)
        flat[:, : self.n_hidden * self.width].view(n_nets, self.n_hidden, self.width)[:, :, :-1] = (
            torch.as_tensor(hidden)
        )
        flat[:, self.n_hidden * self.width : -1] = torch.as_tensor(output)
        self.flat = flat.to(settings.device)
        self.best = self.flat.clone()
        self.epochs_done = np.zeros(n_nets, dtype=int)

    def _split(self, flat: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return views: hidden weights with biases last, output weights, output biases."""
        cut = self.n_hidden * self.width
        hidden = flat[:, :cut].unflatten(1, (self.n_hidden, self.width))
        return hidden, flat[:, cut:-1], flat[:, -1]

    def weights(self) -> tuple[np.ndarray, ...]:
        """Return the arrays of `LambdaNets`."""
        hidden, output, bias = (part.cpu().numpy() for part in self._split(self.best))
        return hidden[:, :, :-1], hidden[:, :, -1], output, bias

    def fit(
        self,
        X: torch.Tensor,
        y: torch.Tensor,
        X_valid: torch.Tensor,
        y_valid: torch.Tensor,
        first: int,
    ) -> None:
        """Run the recipe. Networks that have stopped leave the stack."""
        recipe = self.recipe
        # All networks of a stack take their rows in one random order; the rows themselves differ.
        order = np.random.default_rng([self.settings.seed, first, 2])
        state = _Adam(self.flat)
        live = np.arange(len(self.flat))  # networks that still learn
        least = np.full(len(live), np.inf)
        waited = np.zeros(len(live), dtype=int)
        for epoch in range(recipe.epochs):
            self._epoch(state, X, y, order.permutation(X.shape[2]), epoch)
            running = waited[live] < (recipe.patience or math.inf)
            self.epochs_done[live[running]] = epoch + 1
            if recipe.patience is None:
                continue
            error = self._error(state.flat, X_valid, y_valid)
            better = running & (error < least[live] - recipe.min_delta)
            self.best[live[better]] = state.flat[better]
            least[live] = np.where(better, error, least[live])
            waited[live] = np.where(better, 0, waited[live] + 1)
            stay = waited[live] < recipe.patience
            # Leaving copies the stack, so it waits until a quarter of it has stopped; until then
            # a network that has stopped takes further steps, which nobody looks at.
            if stay.sum() <= 0.75 * len(live):
                live = live[stay]
                if not len(live):
                    return
                keep = torch.as_tensor(np.flatnonzero(stay), device=X.device)
                state.keep(keep)
                X, y, X_valid, y_valid = (t[keep] for t in (X, y, X_valid, y_valid))
        if recipe.patience is None:
            self.best = state.flat

    def _error(self, flat: torch.Tensor, X: torch.Tensor, y: torch.Tensor) -> np.ndarray:
        hidden, output, bias = self._split(flat)
        signal = torch.bmm(hidden, X).clamp_min_(0)
        found = torch.bmm(output[:, None], signal)[:, 0] + bias[:, None]
        return (found - y).abs_().mean(dim=1).cpu().numpy()

    def _epoch(
        self, state: _Adam, X: torch.Tensor, y: torch.Tensor, order: np.ndarray, epoch: int
    ) -> None:
        index = torch.as_tensor(order, device=X.device)
        X, y = X.index_select(2, index), y.index_select(1, index)
        hidden, output, bias = self._split(state.flat)
        parts = self._split(state.gradient)
        n_rows, size = X.shape[2], self.recipe.batch_size
        for first in range(0, n_rows, size):
            rows = X[:, :, first : first + size]
            signal = torch.bmm(hidden, rows).clamp_min_(0)
            found = torch.bmm(output[:, None], signal)[:, 0] + bias[:, None]
            sign = (found - y[:, first : first + size]).sign_().div_(rows.shape[2])
            # Masked signs: the sign where the neuron is on, else 0.
            masked = torch.ops.aten.threshold_backward(sign[:, None].expand_as(signal), signal, 0.0)
            product = torch.bmm(masked, rows.transpose(1, 2))
            torch.mul(product, output[:, :, None], out=parts[0])
            parts[1].copy_(product.mul_(hidden).sum(dim=2))
            parts[2].copy_(sign.sum(dim=1))
            done = (epoch + first / n_rows) / self.recipe.epochs
            state.step(self.recipe.rate(done))


class _Adam:
    """Adam (Kingma and Ba 2015) on one flat tensor, with the epsilon of the authors' Keras."""

    def __init__(self, flat: torch.Tensor) -> None:
        self.flat = flat.clone()
        self.gradient = torch.zeros_like(flat)
        self.first, self.second = torch.zeros_like(flat), torch.zeros_like(flat)
        self.steps = 0

    def step(self, rate: float) -> None:
        """Move the weights against the gradient."""
        self.steps += 1
        self.first.lerp_(self.gradient, 0.1)
        self.second.mul_(0.999).addcmul_(self.gradient, self.gradient, value=0.001)
        scale = math.sqrt(1 - 0.999**self.steps)
        size = self.second.sqrt().add_(1e-7 * scale)
        self.flat.addcdiv_(self.first, size, value=-rate * scale / (1 - 0.9**self.steps))

    def keep(self, index: torch.Tensor) -> None:
        """Forget all networks but some."""
        for name in ("flat", "gradient", "first", "second"):
            setattr(self, name, getattr(self, name)[index])


# Shards on disk


class _Store:
    """A folder of finished shards, each with its settings and a hash."""

    def __init__(
        self, folder: Path, settings: _Settings, shards: list[list[SparsePolynomial]]
    ) -> None:
        self.folder = folder
        self.sizes = [len(shard) for shard in shards]
        self.identities = [_identity(settings, shard, k) for k, shard in enumerate(shards)]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"{folder} cannot hold shards: {error.strerror or error}.") from error

    def _path(self, number: int) -> Path:
        return self.folder / f"shard-{number:05d}.safetensors"

    def read_all(self) -> dict[int, LambdaNets]:
        """Return the finished shards by number."""
        found = {}
        for number in range(len(self.sizes)):
            if self._path(number).exists():
                nets = self._read(number)
                if nets is not None:
                    found[number] = nets
        return found

    def _read(self, number: int) -> LambdaNets | None:
        """Return a shard, or None if it is damaged and has to be made again."""
        path = self._path(number)
        try:
            with safe_open(path, "np") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            identity = metadata["identity"]
            digest = _sha256(tensors, identity)
            if metadata.get("format") != _FORMAT or metadata["sha256"] != digest:
                raise ValueError("its content does not match its hash")
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            warnings.warn(
                f"{path} is damaged ({error}) and is made again.", UserWarning, stacklevel=4
            )
            return None
        if identity != self.identities[number]:
            was, now = json.loads(identity), json.loads(self.identities[number])
            other = [name for name in now if was.get(name) != now[name]]
            raise OSError(
                f"{path} was made with other settings: it differs in {', '.join(other)}. It was "
                "left as it is; repeat that call, or name another folder."
            )
        return LambdaNets(**tensors)

    def write(self, number: int, nets: LambdaNets) -> None:
        """Write a shard; whatever goes wrong, the older ones stay."""
        tensors = {
            name: np.ascontiguousarray(values, dtype=np.float32)
            for name, values in nets._arrays().items()
        }
        identity = self.identities[number]
        metadata = {"format": _FORMAT, "identity": identity, "sha256": _sha256(tensors, identity)}
        path = self._path(number)
        try:
            replace_file(path, write_safetensors(tensors, metadata))
        except OSError as error:
            raise OSError(
                f"{path} could not be written: {error.strerror or error}. The shards before it are "
                "kept; make room or name another folder, and call again."
            ) from error


def _identity(settings: _Settings, shard: list[SparsePolynomial], number: int) -> str:
    coef, exponents = stacked(shard)
    digest = hashlib.sha256(coef.tobytes() + exponents.astype(np.int64).tobytes())
    values = asdict(settings) | {"shard": number, "polynomials": digest.hexdigest()}
    return json.dumps(values, sort_keys=True, default=np.generic.item)


def _sha256(tensors: dict[str, np.ndarray], identity: str) -> str:
    digest = hashlib.sha256(identity.encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode())
        digest.update(np.ascontiguousarray(tensors[name]))
    return digest.hexdigest()
