"""DecisionNet: a piecewise linear classifier as the hyperplanes of its decision boundary.

Explained in the chapter *decision-boundaries-and-dnet*.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from itertools import combinations
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from xai_course._polytopes import RESOLUTION, Frame, Polytope, unit_rows
from xai_course._validation import check_bounds, check_choice, check_labels, check_rows
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.regions import Region, Regions

__all__ = ["BoundaryCertificate", "DecisionNet"]

# Hyperplanes this close, in the frame of what is looked at, are one.
_SAME = 1e-8

# A corner this close to a line lies on it, in the frame.
_ON_BORDER = 2 * RESOLUTION

# How far around a row on a border its regions are looked for, in the frame.
_AROUND = 1e-6

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


@dataclass(eq=False, repr=False)
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
        By default all for one or two features, else those of the rows. A row on a border whose
        pattern has no region lies in all regions around it.
    bounds : array_like, shape (n_features, 2), optional
        Look for the boundary in this box. Without it: in the box of the data for
        ``regions="all"``, everywhere for the others.
    max_regions : int
        Budget for ``regions="all"``.

    Attributes
    ----------
    network_ : PiecewiseLinearNetwork
        The network at the time of `fit`.
    classes_ : ndarray, shape (n_classes,)
    n_features_in_ : int
    feature_names_in_ : ndarray of str, shape (n_features,)
        The columns, if `fit` was given a DataFrame with names.
    n_neurons_ : int
        Hyperplanes.
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
        States of the training rows, the most frequent first. Rows on a hyperplane say nothing about
        the cells beside it, and count only if all of them lie on one.
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

    network: PiecewiseLinearNetwork
    _: KW_ONLY
    regions: str | None = None
    bounds: ArrayLike | None = None
    max_regions: int = 100_000

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
        if self.bounds is not None:
            frame = Frame.of_box(check_bounds(self.bounds, network.n_features))
        else:
            frame = _frame_of_rows(network, X, looked_at)
        framed, basis = frame.network(network), np.eye(network.n_features)
        box = np.tile([-1.0, 1.0], (network.n_features, 1))
        self.segments_ = None
        if looked_at == "all":
            found = framed.enumerate_regions(box, self.max_regions)
            patterns = found.patterns
        else:
            if self.bounds is None:
                box = None
                framed, basis = _on_first_layer(framed)
            patterns = self._patterns_of_rows(X, framed, frame.enter(X) @ basis)
        if looked_at == "all" and network.n_features == 2:
            A, b, pairs, ends = _clipped_pieces(found)
            self.segments_ = frame.leave(ends)
        else:
            A, b, pairs = _programmed_pieces(framed, patterns, box)
        self.network_, self.n_regions_ = network, len(patterns)
        self._keep(A @ basis.T, b, pairs, frame)
        self._label_states(X)
        return self

    def _patterns_of_rows(
        self, X: np.ndarray, framed: PiecewiseLinearNetwork, rows: np.ndarray
    ) -> np.ndarray:
        """Return the patterns of the rows' regions, or of those that the rows divide.

        Rows on a border may have a pattern without a region. They lie in all regions around them.
        """
        patterns, first, group = np.unique(
            self.network.activation_pattern(X), axis=0, return_index=True, return_inverse=True
        )
        around = [_regions_at(framed, *at) for at in zip(patterns, rows[first], strict=True)]
        decided = np.unique(np.column_stack([group, self.network.decide(X)]), axis=0)
        seen = np.unique([(*pattern, k) for i, k in decided for pattern in around[i]], axis=0)
        patterns, n_decisions = np.unique(seen[:, :-1], axis=0, return_counts=True)
        return patterns[n_decisions > (self.regions == "divided")]

    def _keep(self, A: np.ndarray, b: np.ndarray, pairs: np.ndarray, frame: Frame) -> None:
        """Make one neuron of all pieces of a hyperplane."""
        group = _coinciding(A, b)
        _, first, counts = np.unique(group, return_index=True, return_counts=True)
        order = np.lexsort((first, -counts))
        kept = first[order]
        A, b = unit_rows(*frame.leave_planes(A[kept], b[kept]))
        largest = np.take_along_axis(A, np.abs(A).argmax(axis=1)[:, None], axis=1)
        self.coef_, self.intercept_ = A * np.sign(largest), -b * np.sign(largest[:, 0])
        self._near = 2 * _SAME * np.linalg.norm(self.coef_ * frame.scale, axis=1)
        self.n_neurons_, self.pairs_, self.n_pieces_ = len(kept), pairs[kept], counts[order]

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        if not hasattr(self, "states_"):
            return super().__repr__(N_CHAR_MAX)
        found = f"{self.n_neurons_} neurons, {len(self.states_)} states"
        return f"{type(self).__name__}({found}, {len(self.classes_)} classes)"

    def _label_states(self, X: np.ndarray) -> None:
        states, is_clear = self._states(X)
        if is_clear.any():  # at a tie the network's decision says nothing about the cell
            X, states = X[is_clear], states[is_clear]
        states, group, counts = np.unique(states, axis=0, return_inverse=True, return_counts=True)
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
        return self._states(check_rows(self, X))[0]

    def _states(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the state of each row, and whether the row is clear of all hyperplanes."""
        z = X @ self.coef_.T + self.intercept_
        return (z >= 0).astype(np.uint8), (np.abs(z) > self._near).all(axis=1)

    def apply(self, X: ArrayLike) -> np.ndarray:
        """Return the number in `states_` of each row's state.

        Returns
        -------
        ndarray of int, shape (n_samples,)
            -1 where no training row had the state, or the row lies on a hyperplane (nearer than
            2e-8, where the box of what was looked at has the half width one).
        """
        return self._apply(check_rows(self, X))

    def _apply(self, X: np.ndarray) -> np.ndarray:
        states, is_clear = self._states(X)
        numbers = [self._numbers.get(state.tobytes(), -1) for state in states]
        return np.where(is_clear, numbers, -1)

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

            A row that lies on a hyperplane needs the fallback, too: at a tie the network decides
            for the first of its classes, whichever side that is. So with "network" the answer there
            is the network's, while the signs alone cannot know it: with "nearest" it is that of one
            side.

        Returns
        -------
        ndarray, shape (n_samples,)
        """
        check_choice(fallback, "fallback", ("network", "nearest"))
        X = check_rows(self, X)
        numbers = self._apply(X)
        codes = self.state_labels_[numbers]
        unseen = np.flatnonzero(numbers < 0)
        if fallback == "network":
            codes[unseen] = self.network_.decide(X[unseen])
        else:
            for rows in np.array_split(unseen, len(unseen) // _CHUNK + 1):
                differences = cdist(self._states(X[rows])[0], self.states_, "cityblock")
                codes[rows] = self.state_labels_[differences.argmin(axis=1)]
        return self.classes_[codes]

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
            raise ValueError(f"Cells need two features, the network has {self.n_features_in_}.")
        frame = Frame.of_box(check_bounds(bounds, 2))
        framed = frame.network(self.network_)
        box = np.array([[-1.0, 1.0], [-1.0, 1.0]])
        ends = _clipped_pieces(framed.enumerate_regions(box, max_regions))[-1]
        A, b = unit_rows(*frame.enter_planes(self.coef_, -self.intercept_))
        distance = np.abs(ends @ A.T - b).max(axis=1)
        missing = ends[distance.min(axis=1, initial=np.inf) > 2 * _SAME]
        cells, centers = _cells(A, b, box, max_regions)
        pure = ~_crossed(cells, A, b, missing)
        numbers, area = self._apply(frame.leave(centers)), cells.volumes
        is_cell = _have_size(cells)
        seen, pure = is_cell & (numbers >= 0), is_cell & pure
        right = seen & pure & (self.state_labels_[numbers] == framed.decide(centers))
        lengths = np.linalg.norm(np.diff(frame.leave(missing), axis=1), axis=2)
        return BoundaryCertificate(
            n_cells=int(is_cell.sum()),
            n_pure=int(pure.sum()),
            n_seen=int(seen.sum()),
            n_right=int(right.sum()),
            seen_area=float(area[seen].sum() / area.sum()),
            missing_length=float(lengths.sum()),
        )


def _cells(
    A: np.ndarray, b: np.ndarray, box: ArrayLike, max_regions: int
) -> tuple[Regions, np.ndarray]:
    """Return the cells that the hyperplanes ``A x = b`` cut a box into, and a point in each."""
    # One more neuron, off everywhere, since there may be no hyperplane.
    first, bias = np.vstack([A, np.zeros((1, A.shape[1]))]), np.append(-b, -1.0)
    network = PiecewiseLinearNetwork([first, np.zeros((1, len(first)))], [bias, [0.0]])
    cells = network.enumerate_regions(box, max_regions)
    return cells, np.array([cell.polygon().mean(axis=0) for cell in cells])


def _have_size(cells: Regions) -> np.ndarray:
    """Return which cells are some: where several lines meet, rounding leaves others."""
    corners, starts = cells.polygons.points, cells.polygons.starts
    extent = np.maximum.reduceat(corners, starts) - np.minimum.reduceat(corners, starts)
    return cells.volumes > _SAME * extent.max(axis=1)


def _crossed(cells: Regions, A: np.ndarray, b: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Return which cells of the lines ``A x = b`` some segment runs through."""
    mixed = np.zeros(len(cells), dtype=bool)
    for start, end in segments:
        way = end - start
        parts, middles = _cells(A @ way[:, None], b - A @ start, [[0.0, 1.0]], len(A) + 1)
        numbers = cells.locate(start + middles[parts.volumes > _SAME] * way)
        mixed[numbers[numbers >= 0]] = True
    return mixed


def _regions_at(
    network: PiecewiseLinearNetwork, pattern: np.ndarray, row: np.ndarray
) -> np.ndarray:
    """Return a row's own pattern, or those of the regions around it if its own has no region."""
    region = Region(network, pattern)
    is_clear = (region.b - region.A @ row).min(initial=np.inf) > RESOLUTION
    if is_clear or not region.is_empty():
        return pattern[None]
    reach = _AROUND * np.maximum(1.0, np.abs(row))
    return network.enumerate_regions(np.column_stack([row - reach, row + reach])).patterns


# --- frames and checks ----------------------------------------------------------------------------


def _frame_of_rows(network: PiecewiseLinearNetwork, X: np.ndarray, looked_at: str) -> Frame:
    """Return the frame of the rows' box; a feature without variation counts as the widest does."""
    low, high = X.min(axis=0), X.max(axis=0)
    flat = np.flatnonzero(low == high)
    if looked_at == "all" and len(flat):
        raise ValueError(
            f"Feature {flat[0]} is {low[flat[0]]:g} in every row of X, so the rows span no box to "
            "look for the boundary in. Give bounds, or regions='data'."
        )
    own = Frame.of_network(network).scale
    half = (high - low) / 2
    return Frame(low + half, np.where(half > 0, half, own * ((half / own).max() or 1.0)))


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


def _borders(network: PiecewiseLinearNetwork, patterns: np.ndarray) -> Iterator[tuple[Any, ...]]:
    """Yield for each pair of classes where each region's model rates them alike, above all others.

    The pair, and `line`, `offset`, `ahead` and `margin` of each region: it is where
    ``line @ x + offset = 0`` and, for every other class, ``ahead @ x + margin >= 0``.
    """
    coef, intercept = network.local_linear_models(patterns)
    if network.n_outputs == 1:  # that of the second of two classes
        coef, intercept = (np.insert(part, 0, 0.0, axis=1) for part in (coef, intercept))
    for i, j in combinations(range(coef.shape[1]), 2):
        line, offset = coef[:, j] - coef[:, i], intercept[:, j] - intercept[:, i]
        ahead = coef[:, [i]] - np.delete(coef, [i, j], axis=1)
        margin = intercept[:, [i]] - np.delete(intercept, [i, j], axis=1)
        yield (i, j), line, offset, ahead, margin


def _clipped_pieces(regions: Regions) -> tuple[np.ndarray, ...]:
    """Return all pieces in the box of two features, by clipping; their ends last.

    Each is a part of a hyperplane ``A x = b``, in one region, between a pair of classes.
    """
    found, polygons = [], regions.polygons
    for pair, line, offset, ahead, margin in _borders(regions.network, regions.patterns):
        A, b = unit_rows(line, -offset)
        z = (A[polygons.owners] * polygons.points).sum(axis=1) - b[polygons.owners]
        low, high = (end.reduceat(z, polygons.starts) for end in (np.minimum, np.maximum))
        # A line along a border may seem to run through the region, by rounding.
        is_through = (low < -_ON_BORDER) & (high > _ON_BORDER)
        numbers, ends = regions.segments(line, offset)
        through = numbers[is_through[numbers]], ends[is_through[numbers]]
        along = _along_borders(regions, A, np.abs(z) <= _ON_BORDER)
        numbers, ends = map(np.concatenate, zip(through, along, strict=True))
        kept, ends = _where_positive(ends, ahead[numbers], margin[numbers])
        numbers = numbers[kept]
        found.append((A[numbers], b[numbers], np.tile(pair, (len(numbers), 1)), ends))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _along_borders(
    regions: Regions, normals: np.ndarray, on_line: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where a region's own line runs along its border, and the decision changes there.

    Numbers of regions and the ends of each piece, as from `Regions.segments`. `on_line` tells which
    corners of the polygons lie on their region's line.
    """
    polygons = regions.polygons
    owners, following = polygons.owners, polygons.following
    ends = np.stack([polygons.points, polygons.points[following]], axis=1)
    is_long = np.ptp(ends, axis=1).max(axis=1) > _ON_BORDER
    chosen = np.flatnonzero(on_line & on_line[following] & is_long)
    middles, step = ends[chosen].mean(axis=1), 2e-7 * normals[owners[chosen]]
    # All at once: a single row may be rounded in another way, and outputs may tie beside a border.
    below, above = np.split(regions.network.decide(np.vstack([middles - step, middles + step])), 2)
    changes = below != above
    # Both regions at the border may find it.
    once = np.unique((middles[changes] / 2).round(7), axis=0, return_index=True)[1]
    chosen = chosen[changes][np.sort(once)]
    return owners[chosen], ends[chosen]


def _where_positive(
    ends: np.ndarray, coef: np.ndarray, intercept: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cut segments to where all functions of their own are positive; return which are left.

    coef : ndarray, shape (n_segments, n_functions, 2)
    intercept : ndarray, shape (n_segments, n_functions)
    """
    first, last = np.einsum("nkd,ned->enk", coef, ends) + intercept
    with np.errstate(divide="ignore", invalid="ignore"):
        share = first / (first - last)
    begin = np.where(first < 0, np.where(last > 0, share, 1.0), 0.0).max(axis=1, initial=0.0)
    end = np.where(last < 0, np.where(first > 0, share, 0.0), 1.0).min(axis=1, initial=1.0)
    kept = end - begin > RESOLUTION
    start, way = ends[kept, 0], ends[kept, 1] - ends[kept, 0]
    return kept, np.stack([start + share[kept, None] * way for share in (begin, end)], axis=1)


def _programmed_pieces(
    network: PiecewiseLinearNetwork, patterns: np.ndarray, box: np.ndarray | None
) -> tuple[np.ndarray, ...]:
    """Return the pieces in the regions of some patterns, by one linear program each."""
    regions = [Region(network, pattern, box) for pattern in patterns]
    found = []
    for pair, line, offset, ahead, margin in _borders(network, patterns):
        A, b = unit_rows(line, -offset)
        crossed = np.zeros(len(regions), dtype=bool)
        for r in np.flatnonzero(line.any(axis=1)):
            others = unit_rows(-ahead[r], margin[r])
            rows = zip((regions[r].A, regions[r].b), others, strict=True)
            part = Polytope(*map(np.concatenate, rows))
            crossed[r] = part.disc(A[r], b[r])[1] > RESOLUTION
        found.append((A[crossed], b[crossed], np.tile(pair, (crossed.sum(), 1))))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _on_first_layer(network: PiecewiseLinearNetwork) -> tuple[PiecewiseLinearNetwork, np.ndarray]:
    """Return the network on the span of its first layer's weights, if that is smaller; its basis.

    Nothing changes across the span, so a linear program needs no more variables than these.
    """
    first, *others = network.weights
    if not others or len(first) >= network.n_features:
        return network, np.eye(network.n_features)
    basis = np.linalg.qr(first.T)[0]
    weights = [first @ basis, *others]
    return PiecewiseLinearNetwork(weights, network.biases, network.activations), basis


def _coinciding(A: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a number for each piece, the same for pieces of one hyperplane ``A x = b``."""
    n, points = len(A), np.column_stack([A, b / 2])
    # Rounding may decide which coefficient is the largest, so either sign of a normal counts.
    near = cKDTree(np.concatenate([points, -points])).query_pairs(_SAME, output_type="ndarray") % n
    links = coo_array((np.ones(len(near)), (near[:, 0], near[:, 1])), shape=(n, n))
    return connected_components(links, directed=False)[1]
