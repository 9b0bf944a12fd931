"""DecisionNet: a piecewise linear classifier as the hyperplanes of its decision boundary."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from tqdm import tqdm

from xai_course._polytopes import RESOLUTION, Frame, Polytope, check_bounds, unit_rows
from xai_course._validation import check_choice, check_labels, check_rows
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.regions import Region, Regions

__all__ = ["BoundaryCertificate", "DecisionNet"]

# Hyperplanes this close, in the frame of what is looked at, are one.
_SAME = 1e-8

# Rows that are compared with all known states at a time.
_CHUNK = 1024


@dataclass(frozen=True)
class BoundaryCertificate:
    """What `DecisionNet.certify` found in a box.

    Attributes
    ----------
    n_cells : int
        Cells that the hyperplanes cut the box into.
    n_pure : int
        Cells in which the network decides one way throughout.
    n_seen : int
        Cells with rows of the training data, which gave them their class.
    n_right : int
        Pure cells with training data whose class is the network's decision.
    seen_area : float
        Share of the box that the seen cells take, from 0 to 1.
    missing_length : float
        Length of the network's boundary that lies on no hyperplane; zero if all cells are pure.
    """

    n_cells: int
    n_pure: int
    n_seen: int
    n_right: int
    seen_area: float
    missing_length: float

    @property
    def holds(self) -> bool:
        """Whether every cell is pure and every seen cell has the network's class.

        Then rows in seen cells get the network's decision, whatever rows they are.
        """
        return self.n_pure == self.n_cells and self.n_right == self.n_seen


class DecisionNet(ClassifierMixin, BaseEstimator):
    """A classifier as the hyperplanes of its decision boundary, one neuron for each.

    A row's *state* says on which side of each hyperplane it lies. Rows with one state have one
    decision, so a table of states is a classifier.

    Parameters
    ----------
    network : PiecewiseLinearNetwork
        With one output (the logit of the second of two classes), or one output per class.
    regions : {"all", "data", "divided"}, optional
        Whether to look at all regions of the box, at those of the training rows, as published
        (Chu et al. 2018), or at those whose own training rows the network decides both ways.
        By default all for one or two features, else those of the rows.
    bounds : array_like, shape (n_features, 2), optional
        Look for the boundary in this box. Without it: in the box of the data for
        ``regions="all"``, everywhere for the others.
    max_regions : int
        Budget for ``regions="all"``.
    progress : bool
        Whether to show a progress bar.

    Attributes
    ----------
    network_ : PiecewiseLinearNetwork
        The network at the time of `fit`.
    classes_ : ndarray, shape (n_classes,)
    n_features_in_ : int
    feature_names_in_ : ndarray of str, shape (n_features,)
        The columns, if `fit` was given a DataFrame with names.
    coef_ : ndarray of float64, shape (n_neurons, n_features)
        Of unit length.
    intercept_ : ndarray of float64, shape (n_neurons,)
        The hyperplanes are ``coef_ @ x + intercept_ = 0``; those of most pieces first.
    pairs_ : ndarray of int, shape (n_neurons, 2)
        The classes that the hyperplane parts, as numbers in `classes_`; of its first piece where it
        parts several.
    n_pieces_ : ndarray of int, shape (n_neurons,)
        Regions in which the hyperplane is the boundary.
    n_regions_ : int
        Regions that were looked at.
    segments_ : ndarray of float64, shape (n_segments, 2, 2), or None
        The boundary itself for two features and all regions of a box: ends of straight pieces.
    states_ : ndarray of uint8, shape (n_states, n_neurons)
        States of the training rows, the most frequent first.
    state_counts_ : ndarray of int, shape (n_states,)
    state_labels_ : ndarray of int, shape (n_states,)
        The network's decision for most rows of each, as a number in `classes_`.
    n_mixed_states_ : int
        States whose rows the network decides differently; zero if no hyperplane is missing.

    Notes
    -----
    Dong et al. (2021), section 5.4. The paper says neither which hyperplanes to take where those of
    two regions coincide (one neuron here), nor what to do where the decision changes along a
    region's border (that is a piece too), nor which label a state takes (the network's decision).

    In more than two features a hyperplane that only follows a region's border is kept whether or
    not the decision changes there. It may be superfluous, and does no harm.

    `fit` trains nothing: the labels only name the classes. Explained in the chapter
    *decision-boundaries-and-dnet*.

    Examples
    --------
    >>> network = PiecewiseLinearNetwork([[[1], [-1]], [[1, 1]]], [[0, 0], [-1]])  # |x| - 1
    >>> X = np.linspace(-2, 2, 9)[:, None]
    >>> dnet = DecisionNet(network).fit(X, abs(X[:, 0]) > 1)
    >>> dnet.n_neurons_, sorted(dnet.intercept_.tolist())
    (2, [-1.0, 1.0])
    >>> dnet.predict([[-1.5], [0.5], [7.0]]).tolist()
    [True, False, True]
    """

    def __init__(
        self,
        network: PiecewiseLinearNetwork,
        *,
        regions: str | None = None,
        bounds: ArrayLike | None = None,
        max_regions: int = 100_000,
        progress: bool = False,
    ) -> None:
        self.network = network
        self.regions = regions
        self.bounds = bounds
        self.max_regions = max_regions
        self.progress = progress

    @classmethod
    def from_network(
        cls, network: PiecewiseLinearNetwork, X: ArrayLike, y: ArrayLike, **options: object
    ) -> Self:
        """Return ``DecisionNet(network, **options).fit(X, y)``."""
        return cls(network, **options).fit(X, y)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # it decides as the network does, whatever `y` says
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Find the hyperplanes of the network's decision boundary, and the states of the data.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
            Training rows.
        y : array_like, shape (n_samples,)
            Their classes, of any kind; all that the network tells apart must occur.

        Returns
        -------
        DecisionNet
            Itself.

        Raises
        ------
        TypeError, ValueError
            If the rows do not fit the network, `y` holds another number of classes than it has, an
            option is unknown, or an activation jumps: the decision can then change where no output
            is zero.
        RegionBudgetError
            If the box has more than `max_regions` regions.
        """
        network = self.network
        X = check_rows(self, X, reset=True)
        network.check_inputs(X)
        self.classes_, _ = check_labels(y, len(X))
        _check_fit(network, self.classes_, self.regions)
        looked_at = self.regions or ("all" if network.n_features <= 2 else "data")
        box = None if self.bounds is None else check_bounds(self.bounds, network.n_features)
        if looked_at == "all" and box is None:
            box = _box_of(X)
        frame = _frame_of_rows(network, X) if box is None else Frame.of_box(box)
        framed = frame.network(network)
        if looked_at == "all":
            found = framed.enumerate_regions(_unit_box(framed), self.max_regions, self.progress)
            patterns = found.patterns
        else:
            patterns = _patterns_of_rows(network, X, looked_at == "divided")
        if looked_at == "all" and network.n_features == 2:
            pieces, segments = _clipped_pieces(framed, found)
            self.segments_ = frame.leave(segments)
        else:
            limits = None if box is None else _unit_box(framed)
            pieces, self.segments_ = (
                _programmed_pieces(framed, patterns, limits, self.progress),
                None,
            )
        self.network_, self.n_regions_ = network, len(patterns)
        self._keep(pieces, frame)
        self._label_states(X)
        return self

    def _keep(self, pieces: _Pieces, frame: Frame) -> None:
        """Make one neuron of all pieces of a hyperplane."""
        group = _coinciding(pieces)
        first, counts = np.unique(group, return_index=True, return_counts=True)[1:]
        order = np.lexsort((first, -counts))
        kept = first[order]
        coef, intercept = frame.leave_planes(pieces.coef[kept], -pieces.intercept[kept])
        self.coef_, self.intercept_ = _unit(coef, -intercept)
        self.pairs_, self.n_pieces_ = pieces.pairs[kept], counts[order]

    @property
    def n_neurons_(self) -> int:
        """Number of hyperplanes."""
        return len(self.coef_)

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        if not hasattr(self, "states_"):
            return super().__repr__(N_CHAR_MAX)
        return (
            f"{type(self).__name__}({self.n_neurons_} neurons, {len(self.states_)} states, "
            f"{len(self.classes_)} classes)"
        )

    def _label_states(self, X: np.ndarray) -> None:
        states, group, counts = np.unique(
            self._state(X), axis=0, return_inverse=True, return_counts=True
        )
        votes = np.zeros((len(states), len(self.classes_)), dtype=int)
        np.add.at(votes, (group, self.network_.decide(X)), 1)
        self.n_mixed_states_ = int(((votes > 0).sum(axis=1) > 1).sum())
        order = np.argsort(-counts, kind="stable")
        self.states_, self.state_counts_ = states[order], counts[order]
        self.state_labels_ = votes.argmax(axis=1)[order]
        self._numbers = {state.tobytes(): i for i, state in enumerate(self.states_)}

    # Rows

    def state(self, X: ArrayLike) -> np.ndarray:
        """Return on which side of every hyperplane each row lies.

        Returns
        -------
        ndarray of uint8, shape (n_samples, n_neurons)
            1 where ``coef_ @ x + intercept_ >= 0``.
        """
        return self._state(self._checked(X))

    def _checked(self, X: ArrayLike) -> np.ndarray:
        check_is_fitted(self)
        return check_rows(self, X)

    def _state(self, X: np.ndarray) -> np.ndarray:
        return (X @ self.coef_.T + self.intercept_ >= 0).astype(np.uint8)

    def apply(self, X: ArrayLike) -> np.ndarray:
        """Return the number in `states_` of each row's state, -1 where no training row had it."""
        return self._apply(self._checked(X))

    def _apply(self, X: np.ndarray) -> np.ndarray:
        states, group = np.unique(self._state(X), axis=0, return_inverse=True)
        numbers = [self._numbers.get(state.tobytes(), -1) for state in states]
        return np.array(numbers, dtype=int)[group]

    def coverage(self, X: ArrayLike) -> float:
        """Return the share of rows with a state that training rows had.

        All others need the fallback of `predict`.
        """
        return float((self.apply(X) >= 0).mean())

    def predict(self, X: ArrayLike, fallback: str = "network") -> np.ndarray:
        """Return the classes, from the signs alone where the state is known.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
        fallback : {"network", "nearest"}
            For states that no training row had: ask the network, as published, or take the known
            state that differs in the fewest signs (of several the most frequent).

        Returns
        -------
        ndarray, shape (n_samples,)
        """
        check_choice(fallback, "fallback", ("network", "nearest"))
        X = self._checked(X)
        numbers = self._apply(X)
        codes = self.state_labels_[numbers]
        unseen = np.flatnonzero(numbers < 0)
        if fallback == "network":
            codes[unseen] = self.network_.decide(X[unseen])
        else:
            for rows in np.array_split(unseen, len(unseen) // _CHUNK + 1):
                codes[rows] = self.state_labels_[self._nearest(self._state(X[rows]))]
        return self.classes_[codes]

    def _nearest(self, states: np.ndarray) -> np.ndarray:
        ours, known = (2.0 * s - 1.0 for s in (states, self.states_))
        return (ours @ known.T).argmax(axis=1)

    # Certification

    def certify(self, bounds: ArrayLike, max_regions: int = 100_000) -> BoundaryCertificate:
        """Check every cell of the hyperplanes in a box, for two features.

        Parameters
        ----------
        bounds : array_like, shape (2, 2)
        max_regions : int
            Budget for the network's regions and for the cells.

        Returns
        -------
        BoundaryCertificate

        Raises
        ------
        ValueError
            If there are more or fewer than two features.
        RegionBudgetError
            If the budget ends.

        Notes
        -----
        All regions of the box are found, and with them every piece of the boundary. A cell whose
        interior no piece runs through has one decision, that of the network at its centre.
        """
        check_is_fitted(self)
        if self.n_features_in_ != 2:
            raise ValueError(
                f"Cells are checked for two features, the network has {self.n_features_in_}."
            )
        frame = Frame.of_box(check_bounds(bounds, 2))
        framed = frame.network(self.network_)
        found = framed.enumerate_regions(_unit_box(framed), max_regions)
        ends = _clipped_pieces(framed, found)[1]
        coef, intercept = frame.enter_planes(self.coef_, -self.intercept_)
        coef, intercept = _unit(coef, -intercept)
        distance = np.abs(ends @ coef.T + intercept).max(axis=1)
        missing = ends[distance.min(axis=1, initial=np.inf) > 2 * _SAME]
        cells = _cells(coef, intercept).enumerate_regions(_unit_box(framed), max_regions)
        centers = np.array([cell.polygon().mean(axis=0) for cell in cells])
        mixed = _crossed(cells, coef, intercept, missing)
        numbers = self._apply(frame.leave(centers))
        seen, area = numbers >= 0, cells.volumes
        right = seen & ~mixed & (self.state_labels_[numbers] == framed.decide(centers))
        missing = frame.leave(missing)
        return BoundaryCertificate(
            n_cells=len(cells),
            n_pure=int((~mixed).sum()),
            n_seen=int(seen.sum()),
            n_right=int(right.sum()),
            seen_area=float(area[seen].sum() / area.sum()),
            missing_length=float(np.linalg.norm(missing[:, 1] - missing[:, 0], axis=1).sum()),
        )


def _cells(coef: np.ndarray, intercept: np.ndarray) -> PiecewiseLinearNetwork:
    """Return a network whose regions are the cells of some lines."""
    if len(coef) == 0:
        return PiecewiseLinearNetwork([np.zeros((1, 2))], [[0.0]])
    return PiecewiseLinearNetwork([coef, np.zeros((1, len(coef)))], [intercept, [0.0]])


def _crossed(
    cells: Regions, coef: np.ndarray, intercept: np.ndarray, segments: np.ndarray
) -> np.ndarray:
    """Return which cells of these lines some segment runs through."""
    mixed = np.zeros(len(cells), dtype=bool)
    for a, b in segments:
        # Between two crossings of lines a segment stays in one cell.
        za, zb = (coef @ x + intercept for x in (a, b))
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = za / (za - zb)
        inside = shares[(shares > 0) & (shares < 1)]
        stops = np.sort(np.concatenate([[0.0, 1.0], inside]))
        middles = (stops[1:] + stops[:-1])[np.diff(stops) > _SAME, None] / 2
        numbers = cells.locate(a + middles * (b - a))
        mixed[numbers[numbers >= 0]] = True
    return mixed


def _patterns_of_rows(network: PiecewiseLinearNetwork, X: np.ndarray, divided: bool) -> np.ndarray:
    """Return the patterns of rows; only those of rows with several decisions, if `divided`."""
    patterns, group = np.unique(network.activation_pattern(X), axis=0, return_inverse=True)
    if not divided:
        return patterns
    decided = np.unique(np.column_stack([group, network.decide(X)]), axis=0)[:, 0]
    return patterns[np.bincount(decided, minlength=len(patterns)) > 1]


# --- frames and checks ----------------------------------------------------------------------------


def _unit_box(framed: PiecewiseLinearNetwork) -> np.ndarray:
    return np.tile([-1.0, 1.0], (framed.n_features, 1))


def _box_of(X: np.ndarray) -> np.ndarray:
    """Return the box of the rows, or raise where they span none."""
    box = np.column_stack([X.min(axis=0), X.max(axis=0)])
    flat = np.flatnonzero(box[:, 0] == box[:, 1])
    if len(flat):
        raise ValueError(
            f"Feature {flat[0]} is {box[flat[0], 0]:g} in every row of X, so the rows span no box "
            "to look for the boundary in. Give bounds, or regions='data'."
        )
    return box


def _frame_of_rows(network: PiecewiseLinearNetwork, X: np.ndarray) -> Frame:
    """Return the frame of the rows' box; a feature without variation counts as the widest does."""
    low, high = X.min(axis=0), X.max(axis=0)
    own = Frame.of_network(network).scale
    half = (high - low) / 2
    return Frame((low + high) / 2, np.where(half > 0, half, own * ((half / own).max() or 1.0)))


def _check_fit(network: PiecewiseLinearNetwork, classes: np.ndarray, regions: str | None) -> None:
    check_choice(regions, "regions", (None, "all", "data", "divided"))
    n_classes = max(2, network.n_outputs)
    if len(classes) != n_classes:
        raise ValueError(
            f"A network with {network.n_outputs} output(s) tells {n_classes} classes apart, but y "
            f"holds {len(classes)} class{'es' * (len(classes) != 1)}: {classes[:5].tolist()}."
        )
    jumping = [a for a in network.activations if not a.is_continuous]
    if jumping:
        raise ValueError(
            f"{jumping[0]!r} jumps, so the decision may change where no output is zero, and "
            "hyperplanes of zero lines are not the whole boundary. Take more pieces."
        )


# --- the pieces of the boundary, in the frame -----------------------------------------------------


class _Pieces(NamedTuple):
    """Parts of hyperplanes that form the boundary: one for each region and pair of classes."""

    coef: np.ndarray
    intercept: np.ndarray
    pairs: np.ndarray


class _Segments(NamedTuple):
    """Straight pieces of lines, each in one region: its number and the two ends, (n, 2, 2)."""

    regions: np.ndarray
    ends: np.ndarray

    def where_positive(self, coef: np.ndarray, intercept: np.ndarray) -> _Segments:
        """Cut each to where all functions of its own are positive; drop what is empty.

        coef : ndarray, shape (n_segments, n_functions, 2)
        intercept : ndarray, shape (n_segments, n_functions)
        """
        z = np.einsum("nkd,ned->enk", coef, self.ends) + intercept
        first, last = z
        with np.errstate(divide="ignore", invalid="ignore"):
            share = first / (first - last)
        begin = np.where(first < 0, np.where(last > 0, share, 1.0), 0.0).max(axis=1, initial=0.0)
        end = np.where(last < 0, np.where(first > 0, share, 0.0), 1.0).min(axis=1, initial=1.0)
        kept = end - begin > RESOLUTION
        start, direction = self.ends[kept, 0], self.ends[kept, 1] - self.ends[kept, 0]
        cut = [start + share[kept, None] * direction for share in (begin, end)]
        return _Segments(self.regions[kept], np.stack(cut, axis=1))


def _logits(coef: np.ndarray, intercept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return local models with one output per class, where one is that of the second of two."""
    if coef.shape[1] == 1:
        coef = np.concatenate([np.zeros_like(coef), coef], axis=1)
        intercept = np.concatenate([np.zeros_like(intercept), intercept], axis=1)
    return coef, intercept


def _clipped_pieces(
    network: PiecewiseLinearNetwork, regions: Regions
) -> tuple[_Pieces, np.ndarray]:
    """Return all pieces in the box of two features, and their ends, by clipping."""
    coef, intercept = _logits(*network.local_linear_models(regions.patterns))
    found: list[tuple[np.ndarray, ...]] = []
    for i, j in combinations(range(coef.shape[1]), 2):
        line, offset = coef[:, j] - coef[:, i], intercept[:, j] - intercept[:, i]
        inside = _Segments(*regions.segments(line, offset))
        along = _along_borders(regions, line, offset)
        pieces = _Segments(*map(np.concatenate, zip(inside, along, strict=True)))
        others = [k for k in range(coef.shape[1]) if k not in (i, j)]
        ahead_of = coef[:, [i]] - coef[:, others], intercept[:, [i]] - intercept[:, others]
        numbers, ends = pieces.where_positive(*(part[pieces.regions] for part in ahead_of))
        pair = np.tile([i, j], (len(numbers), 1))
        found.append((line[numbers], offset[numbers], pair, ends))
    line, offset, pairs, ends = map(np.concatenate, zip(*found, strict=True))
    return _Pieces(*_unit(line, offset), pairs), ends


def _along_borders(regions: Regions, line: np.ndarray, offset: np.ndarray) -> _Segments:
    """Return where a region's own line runs along its border, and the decision changes there."""
    points, sizes = regions.polygons
    owner = np.repeat(np.arange(len(sizes)), sizes)
    length = np.linalg.norm(line, axis=1)
    tolerance = 2 * RESOLUTION * length
    z = (line[owner] * points).sum(axis=1) + offset[owner]
    on_line = (np.abs(z) <= tolerance[owner]) & (length[owner] > 0)
    found: dict[tuple[float, ...], tuple[int, np.ndarray]] = {}
    for r in np.flatnonzero(np.bincount(owner, on_line, len(sizes)) >= 2):
        low, high = z[owner == r].min(), z[owner == r].max()
        corners = points[(owner == r) & on_line]
        corners = corners[np.lexsort(corners.T)]
        ends = corners[[0, -1]]
        step = 2e-7 * line[r] / length[r]
        sides = regions.network.decide(ends.mean(axis=0) + np.stack([step, -step]))
        one_sided = low >= -tolerance[r] or high <= tolerance[r]
        if one_sided and sides[0] != sides[1] and np.ptp(ends, axis=0).max() > 2 * RESOLUTION:
            # Both regions at the border may find it.
            found.setdefault(tuple((ends / 2).round(7).ravel()), (int(r), ends))
    numbers = np.array([r for r, _ in found.values()], dtype=int)
    return _Segments(numbers, np.reshape([ends for _, ends in found.values()], (len(found), 2, 2)))


def _programmed_pieces(
    network: PiecewiseLinearNetwork, patterns: np.ndarray, box: np.ndarray | None, progress: bool
) -> _Pieces:
    """Return the pieces in the regions of some patterns, by one linear program each."""
    coef, intercept = _logits(*network.local_linear_models(patterns))
    small = network if box is not None else _on_first_layer(network)
    found = []
    for r, pattern in enumerate(tqdm(patterns, disable=not progress, unit="region")):
        found += [(r, i, j) for i, j in _crossing_pairs(Region(small, pattern, box))]
    r, i, j = np.array(found, dtype=int).reshape(len(found), 3).T
    line, offset = coef[r, j] - coef[r, i], intercept[r, j] - intercept[r, i]
    return _Pieces(*_unit(line, offset), np.column_stack([i, j]))


def _on_first_layer(network: PiecewiseLinearNetwork) -> PiecewiseLinearNetwork:
    """Return the network on the span of its first layer's weights, if that is smaller.

    Nothing changes across the span, so a linear program needs no more variables than these.
    """
    first, *others = network.weights
    if not others or len(first) >= network.n_features:
        return network
    basis = np.linalg.qr(first.T)[0]
    return PiecewiseLinearNetwork([first @ basis, *others], network.biases, network.activations)


def _crossing_pairs(region: Region) -> list[tuple[int, int]]:
    """Return the pairs of classes whose boundary runs through the region."""
    coef, intercept = (part[0] for part in _logits(region.coef[None], region.intercept[None]))
    found = []
    for i, j in combinations(range(len(coef)), 2):
        line, offset = coef[j] - coef[i], intercept[j] - intercept[i]
        length = float(np.linalg.norm(line))
        others = [k for k in range(len(coef)) if k not in (i, j)]
        ahead = unit_rows(coef[others] - coef[i], intercept[i] - intercept[others])
        rows = map(np.concatenate, zip((region.A, region.b), ahead, strict=True))
        if length > 0 and Polytope(*rows).disc(line / length, -offset / length)[1] > RESOLUTION:
            found.append((i, j))
    return found


def _unit(coef: np.ndarray, intercept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale hyperplanes to unit normals, the largest coefficient positive."""
    if len(coef) == 0:
        return coef, intercept
    largest = np.take_along_axis(coef, np.abs(coef).argmax(axis=1)[:, None], axis=1)[:, 0]
    length = np.linalg.norm(coef, axis=1) * np.sign(largest)
    return coef / length[:, None], intercept / length


def _coinciding(pieces: _Pieces) -> np.ndarray:
    """Return a number for each piece, the same for pieces of one hyperplane."""
    n = len(pieces.coef)
    if n == 0:
        return np.zeros(0, dtype=int)
    points = np.column_stack([pieces.coef, pieces.intercept / 2])
    # Rounding may decide which coefficient is the largest, so either sign of a normal counts.
    near = cKDTree(np.concatenate([points, -points])).query_pairs(_SAME, output_type="ndarray") % n
    links = coo_array((np.ones(len(near)), (near[:, 0], near[:, 1])), shape=(n, n))
    return connected_components(links, directed=False)[1]
