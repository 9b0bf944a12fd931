"""Train lambda-nets: thousands of small networks as one tensor program.

Source: Marton, Luedtke and Bartelt (2022), Algorithm 1, Tables 1 and 2. Explained in the chapter
*networks-as-data*.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from tqdm import tqdm

from xai_course._perceptrons import Perceptrons
from xai_course._storage import DamagedFileError, load_arrays, save_arrays, sha256
from xai_course._validation import check_array, check_choice, check_number, check_whole
from xai_course.inet.lambda_nets import LambdaNets, check_lambda_nets, concatenate
from xai_course.polynomials import SparsePolynomial, evaluate_polynomials, stacked

__all__ = ["RECIPES", "OnlineNets", "Recipe", "train_lambda_nets"]

_KIND = "lambda-nets 1"
# Networks that a CPU steps together; more of them leave its cache.
_AT_ONCE = 64


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
        check_number(self.learning_rate, "learning_rate", above=0)
        check_number(self.min_delta, "min_delta", least=0)

    def rate(self, progress: float) -> float:
        """Return the learning rate after a share of all steps."""
        if not self.cosine:
            return self.learning_rate
        return self.learning_rate * (1 + math.cos(math.pi * progress)) / 2


#: ``paper``: Table 2, whose "early stopping" is read as 10 epochs without a lower validation error;
#: the authors' code asks for 1e-4 (`min_delta`), which ends training a quarter earlier. ``cheap``:
#: as accurate, in a quarter of the epochs.
RECIPES = {
    "paper": Recipe(learning_rate=1e-3, epochs=1000, patience=10),
    "cheap": Recipe(learning_rate=0.02, epochs=50, cosine=True),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that decides the result beside the polynomials: see `train_lambda_nets`."""

    n_hidden: int
    recipe: Recipe
    initialisation: str
    noise: float
    n_samples: int
    seed: int
    device: str

    def __post_init__(self) -> None:
        if not isinstance(self.recipe, Recipe):
            raise ValueError(
                f"recipe must be one of {sorted(RECIPES)} or a Recipe, got {self.recipe!r}."
            )
        check_choice(self.initialisation, "initialisation", ("independent", "shared"))
        check_number(self.noise, "noise", least=0)
        for name, least in (("n_hidden", 1), ("n_samples", 16), ("seed", 0)):
            check_whole(getattr(self, name), name, least)
        if not re.fullmatch(r"cpu|cuda(:\d+)?", str(self.device)):
            raise ValueError(f"device must be 'cpu' or 'cuda', got {self.device!r}.")

    def parts(self) -> tuple[slice, slice, slice]:
        """Return the rows for training, for validation and for testing."""
        kept = self.n_samples - self.n_samples // 4
        n_train = kept - kept // 4
        return slice(n_train), slice(n_train, kept), slice(kept, None)


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
    _check_polynomials(polynomials)
    settings = Settings(
        n_hidden=5 * max(map(len, polynomials)) if n_hidden is None else n_hidden,
        recipe=RECIPES.get(recipe, recipe) if isinstance(recipe, str) else recipe,
        initialisation=initialisation,
        noise=noise,
        n_samples=n_samples,
        seed=seed,
        device=str(device),
    )
    check_whole(shard_size, "shard_size", 1)
    starts = range(0, len(polynomials), shard_size)
    shards = [polynomials[first : first + shard_size] for first in starts]
    store = None if folder is None else _Store(Path(folder), settings, shards)
    done = [None if store is None else store.read(k) for k in range(len(shards))]
    missing = [k for k, nets in enumerate(done) if nets is None]
    tasks = (delayed(_train_shard)(shards[k], settings, k, starts[k]) for k in missing)
    parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    ready = sum(len(nets) for nets in done if nets is not None)  # not counted in the speed
    total = len(polynomials)
    with tqdm(total=total, initial=ready, unit="net", disable=not progress, ascii=True) as bar:
        for number, nets in parallel(tasks):
            if store is not None:
                store.write(number, nets)
            done[number] = nets
            bar.update(len(nets))
    return concatenate(done)


def _check_polynomials(polynomials: list[SparsePolynomial]) -> None:
    if not polynomials:
        raise ValueError("At least one polynomial is needed, got none.")
    for k, g in enumerate(polynomials):
        if not isinstance(g, SparsePolynomial):
            raise TypeError(f"Polynomial {k} is no SparsePolynomial but a {type(g).__name__}.")
    widths = sorted({g.n_variables for g in polynomials})
    if len(widths) > 1:
        raise ValueError(f"The polynomials must have the same variables, got {widths}.")


# One shard


def _train_shard(
    polynomials: list[SparsePolynomial], settings: Settings, number: int, first: int
) -> tuple[int, LambdaNets]:
    """Train the networks of one shard; `first` is the index of its first network."""
    import torch

    if settings.device != "cpu" and not torch.cuda.is_available():
        raise ValueError(f"device={settings.device!r}, but torch sees no GPU here.")
    # A GPU takes all: there a step costs about the same for few networks and for many.
    at_once = _AT_ONCE if settings.device == "cpu" else len(polynomials)
    starts = range(0, len(polynomials), at_once)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the workers are the parallel part, and tensors are small
    try:
        stacks = [_train_stack(polynomials[k : k + at_once], settings, first + k) for k in starts]
        return number, concatenate(stacks)
    finally:
        torch.set_num_threads(threads)


def _train_stack(polynomials: list[SparsePolynomial], settings: Settings, first: int) -> LambdaNets:
    """Train some networks as one stack of tensors."""
    from xai_course.inet._stack import Stack

    X, targets, noisy, weights = _draw(polynomials, settings, first)
    stack = Stack(weights, settings)
    stack.fit(X, noisy, first)
    nets = LambdaNets(*stack.weights(), epochs=stack.epochs_done)
    _, _, test = settings.parts()
    error = np.abs(nets.predict(X[:, :-1, test].transpose(0, 2, 1)) - targets[:, test]).mean(axis=1)
    # Rounded as in the file of a shard, so that a run that went on from one ends the same.
    return replace(nets, test_error=error.astype(np.float32))


def _draw(
    polynomials: list[SparsePolynomial], settings: Settings, first: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Draw rows, targets and first weights of each network from the seed and its own index.

    Inputs have shape (N, n + 1, rows): variables before rows, and a last one that is always 1.
    """
    n_nets, n_variables = len(polynomials), polynomials[0].n_variables
    X = np.ones((n_nets, n_variables + 1, settings.n_samples), dtype=np.float32)
    noise = np.empty((n_nets, settings.n_samples))
    hidden = np.empty((n_nets, settings.n_hidden, n_variables))
    output = np.empty((n_nets, settings.n_hidden))
    for k in range(n_nets):
        sources = np.random.SeedSequence([settings.seed, first + k]).spawn(3)
        rows, errors, start = map(np.random.default_rng, sources)
        if settings.initialisation == "shared":
            start = np.random.default_rng([settings.seed, 1])
        X[k, :-1] = rows.random(X.shape[:0:-1], dtype=np.float32).T[:-1]
        noise[k] = errors.standard_normal(settings.n_samples)
        for weights, outputs in ((hidden[k], settings.n_hidden), (output[k], 1)):
            limit = math.sqrt(6 / (weights.shape[-1] + outputs))
            weights[...] = start.uniform(-limit, limit, weights.shape)
    points = X[:, :-1].transpose(0, 2, 1).astype(np.float64)
    targets = evaluate_polynomials(polynomials, points)
    spread = np.ptp(targets, axis=1)[:, None]
    noisy = (targets + settings.noise * spread * noise).astype(np.float32)
    return X, targets, noisy, (hidden.astype(np.float32), output.astype(np.float32))


# Shards on disk


class _Store:
    """A folder of finished shards, each with its settings and a hash."""

    def __init__(
        self, folder: Path, settings: Settings, shards: list[list[SparsePolynomial]]
    ) -> None:
        self.folder = folder
        self.identities = [_identity(settings, shard, k) for k, shard in enumerate(shards)]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"{folder} cannot hold shards: {error.strerror or error}.") from error

    def _path(self, number: int) -> Path:
        return self.folder / f"shard-{number:05d}.safetensors"

    def read(self, number: int) -> LambdaNets | None:
        """Return a shard, or None if it is not there, or damaged, and has to be made."""
        path, now = self._path(number), self.identities[number]
        try:
            arrays, was = load_arrays(path, _KIND)
        except FileNotFoundError:
            return None
        except DamagedFileError as error:
            warnings.warn(f"{error} It is damaged and is made again.", UserWarning, stacklevel=3)
            return None
        other = [name for name in now if was.get(name) != now[name]]
        if other:
            raise OSError(
                f"{path} was made with other settings: it differs in {', '.join(other)}. It was "
                "left as it is; repeat that call, or name another folder."
            )
        return LambdaNets(**arrays)

    def write(self, number: int, nets: LambdaNets) -> None:
        """Write a shard; whatever goes wrong, the older ones stay."""
        arrays = {name: values.astype(np.float32) for name, values in nets.arrays().items()}
        save_arrays(self._path(number), _KIND, arrays, self.identities[number])


def _identity(settings: Settings, shard: list[SparsePolynomial], number: int) -> dict[str, Any]:
    coef, exponents = stacked(shard)
    polynomials = sha256({"coef": coef, "exponents": exponents})
    return asdict(settings) | {"shard": number, "polynomials": polynomials}


# One batch after the other


class OnlineNets:
    """N networks that learn side by side, one batch after the other.

    Squared error and Adam, one step for each batch, as in an online setting where a batch is seen
    once. Explained in the chapter *watching-a-network-drift*.

    Parameters
    ----------
    lambda_nets : LambdaNets
        Where the networks start. They are copied.
    learning_rate : float
        Of Adam.

    Raises
    ------
    ValueError
        If the learning rate is not a positive number.
    """

    def __init__(self, lambda_nets: LambdaNets, learning_rate: float = 2e-3) -> None:
        check_lambda_nets(lambda_nets)
        self.learning_rate = check_number(learning_rate, "learning_rate", above=0)
        self._networks = Perceptrons(list(lambda_nets.weights().values()))

    @property
    def nets(self) -> LambdaNets:
        """The networks as they are now, as a copy."""
        return LambdaNets(*self._networks.copy())

    def learn(self, X: ArrayLike, y: ArrayLike) -> np.ndarray:
        """Take one step on one batch for each network.

        Parameters
        ----------
        X : array_like, shape (N, n, n_variables)
        y : array_like, shape (N, n)

        Returns
        -------
        ndarray, shape (N, n)
            Prediction minus target *before* the step: test first, then train.

        Raises
        ------
        ValueError
            If the shapes do not fit, or a value is NaN or infinite.
        """
        W = self._networks.weights[0]
        X, y = check_array(X, "X", 3), check_array(y, "y", 2)
        if X.shape[0] != len(W) or X.shape[2] != W.shape[2] or y.shape != X.shape[:2]:
            raise ValueError(
                f"{len(W)} network(s) of {W.shape[2]} variable(s) need X of shape (N, n, "
                f"{W.shape[2]}) and y of shape (N, n), got {X.shape} and {y.shape}."
            )
        hidden, outputs = self._networks.forward(X)
        difference = outputs - y
        self._networks.step(X, hidden, 2 * difference / X.shape[1], self.learning_rate)
        return difference
