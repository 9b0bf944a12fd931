"""DecisionNet: a piecewise linear classifier as the hyperplanes of its decision boundary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from tqdm import tqdm

from xai_course.networks import PiecewiseLinearNetwork
from xai_course.regions import RESOLUTION, Regions, _check_bounds

__all__ = ["BoundaryCertificate", "DecisionNet"]

# Hyperplanes this close, relative to the size of the box, are one.
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


@dataclass(frozen=True)
class _Pieces:
    """Parts of hyperplanes that form the boundary: one for each region and pair of classes."""

    coef: np.ndarray
    intercept: np.ndarray
    pairs: np.ndarray
    segments: np.ndarray | None


class DecisionNet:
    """A classifier as the hyperplanes of its decision boundary, one neuron for each.

    Made by `from_network`. A row's *state* says on which side of each hyperplane it lies. Rows with
    one state have one decision, so a table of states is a classifier.

    Attributes
    ----------
    network : PiecewiseLinearNetwork
    classes_ : ndarray, shape (n_classes,)
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
        The class of each, as a number in `classes_`.
    n_mixed_states_ : int
        States whose rows the network decides differently; zero if no hyperplane is missing.

    Notes
    -----
    Dong et al. (2021), section 5.4. The paper says neither which hyperplanes to take where those of
    two regions coincide (one neuron here), nor what to do where the decision changes along a
    region's border (that is a piece too), nor which label a state takes (the network's decision).

    In more than two features a hyperplane that only follows a region's border is kept whether or
    not the decision changes there. It may be superfluous, and does no harm.

    Explained in the chapter *decision-boundaries-and-dnet*.

    Examples
    --------
    >>> network = PiecewiseLinearNetwork([[[1], [-1]], [[1, 1]]], [[0, 0], [-1]])  # |x| - 1
    >>> X = np.linspace(-2, 2, 9)[:, None]
    >>> dnet = DecisionNet.from_network(network, X, abs(X[:, 0]) > 1)
    >>> dnet.n_neurons_, sorted(dnet.intercept_.tolist())
    (2, [-1.0, 1.0])
    >>> dnet.predict([[-1.5], [0.5], [7.0]]).tolist()
    [True, False, True]
    """

    def __init__(
        self,
        network: PiecewiseLinearNetwork,
        classes: np.ndarray,
        pieces: _Pieces,
        n_regions: int,
        scale: float,
        center: np.ndarray,
    ) -> None:
        self.network, self.classes_, self.n_regions_ = network, classes, n_regions
        self.segments_ = pieces.segments
        group = _coinciding(pieces, scale, center)
        first, counts = np.unique(group, return_index=True, return_counts=True)[1:]
        order = np.lexsort((first, -counts))
        kept = first[order]
        self.coef_, self.intercept_ = pieces.coef[kept], pieces.intercept[kept]
        self.pairs_, self.n_pieces_ = pieces.pairs[kept], counts[order]

    @classmethod
    def from_network(
        cls,
        network: PiecewiseLinearNetwork,
        X: ArrayLike,
        y: ArrayLike,
        *,
        bounds: ArrayLike | None = None,
        regions: str | None = None,
        labels: str = "network",
        max_regions: int = 100_000,
        progress: bool = False,
    ) -> DecisionNet:
        """Find the hyperplanes of a network's decision boundary, and the states of the data.

        Parameters
        ----------
        network : PiecewiseLinearNetwork
            With one output (the logit of the second of two classes), or one output per class.
        X : array_like, shape (n_samples, n_features)
            Training rows.
        y : array_like, shape (n_samples,)
            Their classes, of any kind; all that the network tells apart must occur.
        bounds : array_like, shape (n_features, 2), optional
            Look for the boundary in this box. Without it: in the box of the data for
            ``regions="all"``, everywhere for ``regions="data"``.
        regions : {"all", "data", "divided"}, optional
            Whether to look at all regions of the box, at those of the training rows, as published
            (Chu et al. 2018), or at those whose own training rows the network decides both ways.
            By default all for one or two features, else those of the rows.
        labels : {"network", "data"}
            Whether a state takes the decision of the network or most rows' class in `y`.
        max_regions : int
            Budget for ``regions="all"``.
        progress : bool
            Whether to show a progress bar.

        Returns
        -------
        DecisionNet

        Raises
        ------
        TypeError, ValueError
            If the rows do not fit the network, `y` holds another number of classes than it has, an
            option is unknown, or an activation jumps: the decision can then change where no output
            is zero.
        RegionBudgetError
            If the box has more than `max_regions` regions.
        """
        X = network.check_inputs(X)
        classes, codes = _check_classes(network, y, len(X))
        _check_options(network, regions, labels)
        if regions is None:
            regions = "all" if network.n_features <= 2 else "data"
        data_box = np.column_stack([X.min(axis=0), X.max(axis=0)])
        box = None if bounds is None else _check_bounds(bounds, network.n_features)
        if regions == "all":
            box = _check_bounds(data_box, network.n_features) if box is None else box
            found = network.enumerate_regions(box, max_regions=max_regions, progress=progress)
            patterns = found.patterns
        else:
            found, patterns = None, _patterns_of_rows(network, X, regions == "divided")
        if found is not None and network.n_features == 2:
            pieces = _clipped_pieces(network, found)
        else:
            pieces = _programmed_pieces(network, patterns, box, progress)
        frame = data_box if box is None else box
        scale = float(np.ptp(frame, axis=1).max()) or 1.0
        dnet = cls(network, classes, pieces, len(patterns), scale, frame.mean(axis=1))
        dnet._label_states(X, codes, labels)
        return dnet

    @property
    def n_neurons_(self) -> int:
        """Number of hyperplanes."""
        return len(self.coef_)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.n_neurons_} neurons, {len(self.states_)} states, "
            f"{len(self.classes_)} classes)"
        )

    def _label_states(self, X: np.ndarray, codes: np.ndarray, labels: str) -> None:
        states, group, counts = np.unique(
            self.state(X), axis=0, return_inverse=True, return_counts=True
        )
        decisions = _decide(self.network, X)
        votes = np.zeros((len(states), len(self.classes_)), dtype=int)
        np.add.at(votes, (group, decisions), 1)
        self.n_mixed_states_ = int(((votes > 0).sum(axis=1) > 1).sum())
        if labels == "data":
            votes[:] = 0
            np.add.at(votes, (group, codes), 1)
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
        X = self.network.check_inputs(X)
        return (X @ self.coef_.T + self.intercept_ >= 0).astype(np.uint8)

    def apply(self, X: ArrayLike) -> np.ndarray:
        """Return the number in `states_` of each row's state, -1 where no training row had it."""
        states, group = np.unique(self.state(X), axis=0, return_inverse=True)
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
        if fallback not in ("network", "nearest"):
            raise ValueError(f"fallback must be 'network' or 'nearest', got {fallback!r}.")
        X = self.network.check_inputs(X)
        numbers = self.apply(X)
        codes = self.state_labels_[numbers]
        unseen = np.flatnonzero(numbers < 0)
        if fallback == "network":
            codes[unseen] = _decide(self.network, X[unseen])
        else:
            for rows in np.array_split(unseen, len(unseen) // _CHUNK + 1):
                codes[rows] = self.state_labels_[self._nearest(self.state(X[rows]))]
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
        if self.network.n_features != 2:
            raise ValueError(
                f"Cells are checked for two features, the network has {self.network.n_features}."
            )
        box = _check_bounds(bounds, 2)
        found = self.network.enumerate_regions(box, max_regions=max_regions)
        ends = _clipped_pieces(self.network, found).segments
        scale = float(np.ptp(box, axis=1).max())
        if self.n_neurons_:
            distance = np.abs(ends @ self.coef_.T + self.intercept_).max(axis=1)
            missing = ends[distance.min(axis=1) > _SAME * scale]
        else:
            missing = ends
        cells = self._cells().enumerate_regions(box, max_regions=max_regions)
        centers = np.array([cell.polygon().mean(axis=0) for cell in cells])
        mixed = self._crossed(cells, missing)
        numbers = self.apply(centers)
        seen, area = numbers >= 0, cells.volumes
        right = seen & ~mixed & (self.state_labels_[numbers] == _decide(self.network, centers))
        return BoundaryCertificate(
            n_cells=len(cells),
            n_pure=int((~mixed).sum()),
            n_seen=int(seen.sum()),
            n_right=int(right.sum()),
            seen_area=float(area[seen].sum() / area.sum()),
            missing_length=float(np.linalg.norm(missing[:, 1] - missing[:, 0], axis=1).sum()),
        )

    def _cells(self) -> PiecewiseLinearNetwork:
        """Return a network whose regions are the cells."""
        if self.n_neurons_ == 0:
            return PiecewiseLinearNetwork([np.zeros((1, self.network.n_features))], [[0.0]])
        weights = [self.coef_, np.zeros((1, self.n_neurons_))]
        return PiecewiseLinearNetwork(weights, [self.intercept_, [0.0]])

    def _crossed(self, cells: Regions, segments: np.ndarray) -> np.ndarray:
        """Return which cells some segment runs through."""
        mixed = np.zeros(len(cells), dtype=bool)
        for a, b in segments:
            # Between two crossings of hyperplanes a segment stays in one cell.
            za, zb = (self.coef_ @ x + self.intercept_ for x in (a, b))
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
    decided = np.unique(np.column_stack([group, _decide(network, X)]), axis=0)[:, 0]
    return patterns[np.bincount(decided, minlength=len(patterns)) > 1]


# --- the pieces of the boundary -------------------------------------------------------------------


def _logits(coef: np.ndarray, intercept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return local models with one output per class, where one is that of the second of two."""
    if coef.shape[1] == 1:
        coef = np.concatenate([np.zeros_like(coef), coef], axis=1)
        intercept = np.concatenate([np.zeros_like(intercept), intercept], axis=1)
    return coef, intercept


def _decide(network: PiecewiseLinearNetwork, X: np.ndarray) -> np.ndarray:
    """Return the class of each row, as a number; the second of two at a tie."""
    outputs = network.forward(X)
    if outputs.shape[1] == 1:
        return (outputs[:, 0] >= 0).astype(int)
    if outputs.shape[1] == 2:
        return (outputs[:, 1] >= outputs[:, 0]).astype(int)
    return outputs.argmax(axis=1)


def _clipped_pieces(network: PiecewiseLinearNetwork, regions: Regions) -> _Pieces:
    """Return all pieces in a box of two features, by clipping."""
    coef, intercept = _logits(*network.local_linear_models(regions.patterns))
    found: list[tuple[np.ndarray, ...]] = []
    for i, j in combinations(range(coef.shape[1]), 2):
        line, offset = coef[:, j] - coef[:, i], intercept[:, j] - intercept[:, i]
        inside, along = regions.segments(line, offset), _along_borders(regions, line, offset)
        numbers, ends = map(np.concatenate, zip(inside, along, strict=True))
        others = [k for k in range(coef.shape[1]) if k not in (i, j)]
        ahead_of = coef[numbers, i, None] - coef[numbers][:, others]
        by = intercept[numbers, i, None] - intercept[numbers][:, others]
        margins = np.einsum("nkd,ned->nek", ahead_of, ends) + by[:, None]
        numbers, ends = _where_ahead(numbers, ends, margins)
        pair = np.tile([i, j], (len(numbers), 1))
        found.append((line[numbers], offset[numbers], pair, ends))
    line, offset, pairs, ends = map(np.concatenate, zip(*found, strict=True))
    return _Pieces(*_unit(line, offset), pairs, ends)


def _along_borders(
    regions: Regions, line: np.ndarray, offset: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where a region's own line runs along its border, and the decision changes there."""
    points, sizes = regions._flat
    owner = np.repeat(np.arange(len(sizes)), sizes)
    scale = float(np.ptp(regions.bounds, axis=1).max())
    length = np.linalg.norm(line, axis=1)
    tolerance = RESOLUTION * scale * length
    z = (line[owner] * points).sum(axis=1) + offset[owner]
    on_line = (np.abs(z) <= tolerance[owner]) & (length[owner] > 0)
    found: dict[tuple[float, ...], tuple[int, np.ndarray]] = {}
    for r in np.flatnonzero(np.bincount(owner, on_line, len(sizes)) >= 2):
        low, high = z[owner == r].min(), z[owner == r].max()
        corners = points[(owner == r) & on_line]
        corners = corners[np.lexsort(corners.T)]
        ends = corners[[0, -1]]
        step = 1e-7 * scale * line[r] / length[r]
        sides = _decide(regions.network, ends.mean(axis=0) + np.stack([step, -step]))
        one_sided = low >= -tolerance[r] or high <= tolerance[r]
        if one_sided and sides[0] != sides[1] and np.ptp(ends, axis=0).max() > RESOLUTION * scale:
            # Both regions at the border may find it.
            found.setdefault(tuple((ends / scale).round(7).ravel()), (int(r), ends))
    numbers = np.array([r for r, _ in found.values()], dtype=int)
    return numbers, np.reshape([ends for _, ends in found.values()], (len(found), 2, 2))


def _where_ahead(
    numbers: np.ndarray, ends: np.ndarray, margins: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cut segments to where all margins, linear along them, are positive; drop what is empty.

    margins : ndarray, shape (n_segments, 2, n_margins), at both ends
    """
    first, last = margins[:, 0], margins[:, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = first / (first - last)
    begin = np.where(first < 0, np.where(last > 0, share, 1.0), 0.0).max(axis=1, initial=0.0)
    end = np.where(last < 0, np.where(first > 0, share, 0.0), 1.0).min(axis=1, initial=1.0)
    kept = end - begin > RESOLUTION
    start, direction = ends[kept, 0], ends[kept, 1] - ends[kept, 0]
    cut = [start + share[kept, None] * direction for share in (begin, end)]
    return numbers[kept], np.stack(cut, axis=1)


def _programmed_pieces(
    network: PiecewiseLinearNetwork, patterns: np.ndarray, box: np.ndarray | None, progress: bool
) -> _Pieces:
    """Return the pieces in the regions of some patterns, by one linear program each."""
    coef, intercept = _logits(*network.local_linear_models(patterns))
    small = network if box is not None else _on_first_layer(network)
    found = []
    for r, pattern in enumerate(tqdm(patterns, disable=not progress, unit="region")):
        region = small.region(pattern)
        models = _logits(region.coef[None], region.intercept[None])
        pairs = _crossing_pairs(region.A, region.b, models[0][0], models[1][0], box)
        found += [(r, i, j) for i, j in pairs]
    r, i, j = np.array(found, dtype=int).reshape(len(found), 3).T
    line, offset = coef[r, j] - coef[r, i], intercept[r, j] - intercept[r, i]
    return _Pieces(*_unit(line, offset), np.column_stack([i, j]), None)


def _on_first_layer(network: PiecewiseLinearNetwork) -> PiecewiseLinearNetwork:
    """Return the network on the span of its first layer's weights, if that is smaller.

    Nothing changes across the span, so a linear program needs no more variables than these.
    """
    first, *others = network.weights
    if not others or len(first) >= network.n_features:
        return network
    basis = np.linalg.qr(first.T)[0]
    return PiecewiseLinearNetwork([first @ basis, *others], network.biases, network.activations)


def _crossing_pairs(
    A: np.ndarray, b: np.ndarray, coef: np.ndarray, intercept: np.ndarray, box: np.ndarray | None
) -> Iterator[tuple[int, int]]:
    """Yield the pairs of classes whose boundary runs through the polytope ``A x <= b``."""
    n_classes = len(coef)
    for i, j in combinations(range(n_classes), 2):
        line, offset = coef[j] - coef[i], intercept[j] - intercept[i]
        length = float(np.linalg.norm(line))
        if length == 0 or not _box_is_cut(line, offset, box):
            continue
        others = [k for k in range(n_classes) if k not in (i, j)]
        rows = np.concatenate([A, coef[others] - coef[i]])
        limits = np.concatenate([b, intercept[i] - intercept[others]])
        if _holds_disc(rows, limits, line / length, -offset / length, box):
            yield i, j


def _box_is_cut(line: np.ndarray, offset: float, box: np.ndarray | None) -> bool:
    if box is None:
        return True
    reach = np.abs(line) @ np.ptp(box, axis=1) / 2
    return abs(line @ box.mean(axis=1) + offset) < reach


def _holds_disc(
    rows: np.ndarray, limits: np.ndarray, normal: np.ndarray, offset: float, box: np.ndarray | None
) -> bool:
    """Return whether ``normal @ x = offset`` holds a disc within ``rows @ x <= limits``.

    Its centre is to lie in the box, which so may cut through the disc.
    """
    within = rows - np.outer(rows @ normal, normal)
    lengths = np.linalg.norm(within, axis=1)
    lengths[lengths < RESOLUTION * np.linalg.norm(rows, axis=1)] = 0.0
    scale = 1.0 if box is None else float(np.ptp(box, axis=1).max())
    places = [(None, None)] * len(normal) if box is None else [tuple(side) for side in box]
    found = linprog(
        np.append(np.zeros(len(normal)), -1.0),
        A_ub=np.column_stack([rows, lengths]),
        b_ub=limits,
        A_eq=np.append(normal, 0.0)[None],
        b_eq=[offset],
        bounds=[*places, (None, scale)],
    )
    if found.status == 2:
        return False
    if found.status != 0:
        raise RuntimeError(f"The linear program failed: {found.message}")
    return bool(found.x[-1] > RESOLUTION * scale)


def _unit(coef: np.ndarray, intercept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale hyperplanes to unit normals, the largest coefficient positive."""
    if len(coef) == 0:
        return coef, intercept
    largest = np.take_along_axis(coef, np.abs(coef).argmax(axis=1)[:, None], axis=1)[:, 0]
    length = np.linalg.norm(coef, axis=1) * np.sign(largest)
    return coef / length[:, None], intercept / length


def _coinciding(pieces: _Pieces, scale: float, center: np.ndarray) -> np.ndarray:
    """Return a number for each piece, the same for pieces of one hyperplane."""
    n = len(pieces.coef)
    if n == 0:
        return np.zeros(0, dtype=int)
    offsets = (pieces.coef @ center + pieces.intercept) / scale
    points = np.column_stack([pieces.coef, offsets])
    # Rounding may decide which coefficient is the largest, so either sign of a normal counts.
    near = cKDTree(np.concatenate([points, -points])).query_pairs(_SAME, output_type="ndarray") % n
    links = coo_array((np.ones(len(near)), (near[:, 0], near[:, 1])), shape=(n, n))
    return connected_components(links, directed=False)[1]


# --- checks ---------------------------------------------------------------------------------------


def _check_classes(
    network: PiecewiseLinearNetwork, y: ArrayLike, n_rows: int
) -> tuple[np.ndarray, np.ndarray]:
    y = np.asarray(y)
    if y.shape != (n_rows,):
        raise ValueError(f"y must have shape ({n_rows},), got {y.shape}.")
    classes, codes = np.unique(y, return_inverse=True)
    n_classes = max(2, network.n_outputs)
    if len(classes) != n_classes:
        raise ValueError(
            f"A network with {network.n_outputs} output(s) tells {n_classes} classes apart, but y "
            f"holds {len(classes)}: {classes[:5].tolist()}."
        )
    return classes, codes


def _check_options(network: PiecewiseLinearNetwork, regions: str | None, labels: str) -> None:
    if regions not in (None, "all", "data", "divided"):
        raise ValueError(f"regions must be 'all', 'data' or 'divided', got {regions!r}.")
    if labels not in ("network", "data"):
        raise ValueError(f"labels must be 'network' or 'data', got {labels!r}.")
    jumping = [a for a in network.activations if not a.is_continuous]
    if jumping:
        raise ValueError(
            f"{jumping[0]!r} jumps, so the decision may change where no output is zero, and "
            "hyperplanes of zero lines are not the whole boundary. Take more pieces."
        )
