"""Ward's linkage along the edges of a graph: the tree of scikit-learn's `ward_tree`, sooner.

scikit-learn keeps every edge in its heap, and new ones for every merge. Here each cluster keeps its
nearest neighbour only, and looks for another when that one is gone.
"""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np
from scipy.sparse import csr_array

__all__ = ["ward_tree"]


def ward_tree(points: np.ndarray, graph: csr_array) -> np.ndarray:
    """Merge the two linked clusters whose union adds least to the squared distances, n - 1 times.

    Parameters
    ----------
    points : ndarray, shape (n, n_dimensions)
    graph : csr_array, shape (n, n)
        Symmetric and connected; its entries are the links.

    Returns
    -------
    ndarray of int, shape (n - 1, 2)
        Row ``m`` holds the two nodes that become node ``n + m``, as from scikit-learn: of equal
        pairs that with the smallest larger node comes first, then that with the smallest other.

    Notes
    -----
    Ward (1963). Explained in the chapter *unwrapping-merging*.
    """
    n, clusters = len(points), _Clusters(points, graph)
    pairs = [clusters.merge(new) for new in range(n, 2 * n - 1)]
    return np.array(pairs, dtype=np.int64).reshape(n - 1, 2)


class _Clusters:
    """The clusters at a time, each with its nearest neighbour among those that are older.

    A link belongs to the younger of its two clusters, so that each is looked at once. Links name
    clusters that may be merged by now, and are followed to those that hold them when they are used.
    """

    def __init__(self, points: np.ndarray, graph: csr_array) -> None:
        n, n_dimensions = points.shape
        self.sizes = np.ones(2 * n - 1)
        self.sums = np.empty((2 * n - 1, n_dimensions))
        self.sums[:n] = points
        self.means = self.sums.copy()
        self.holder = np.arange(2 * n - 1)  # the cluster that a merged one became a part of
        self.links = np.split(graph.indices.astype(np.int64), graph.indptr[1:-1])
        self.nearest = np.full(2 * n - 1, -1)
        self.distance = np.full(2 * n - 1, np.inf)
        self.heap: list[tuple[float, int]] = []
        for cluster in range(n):
            self.look(cluster, np.sort(self.links[cluster]))

    def look(self, cluster: int, linked: np.ndarray) -> None:
        """Find the nearest of the older clusters among those that are linked, in their order."""
        older = linked[: np.searchsorted(linked, cluster)]
        if not len(older):
            self.distance[cluster] = np.nan
            return
        sizes, apart = self.sizes[older], self.means[older] - self.means[cluster]
        sizes = sizes * self.sizes[cluster] / (sizes + self.sizes[cluster])
        # One square after the other, as scikit-learn adds them up, so that ties are the same.
        added = np.square(apart).cumsum(axis=1)[:, -1] * sizes
        best = added.argmin()
        self.nearest[cluster], self.distance[cluster] = older[best], added[best]
        heappush(self.heap, (added[best], cluster))

    def linked(self, *clusters: int) -> np.ndarray:
        """Return the clusters of today that these are linked with, in order."""
        found = np.concatenate([self.links[cluster] for cluster in clusters])
        while ((today := self.holder[found]) != found).any():
            found = self.holder[today]
        found.sort()
        return found[np.append(True, found[1:] != found[:-1])] if len(found) else found

    def merge(self, new: int) -> tuple[int, int]:
        """Merge the nearest two of all to a new cluster; return them."""
        distance, first = heappop(self.heap)
        while distance != self.distance[first]:  # merged by now, or another one is nearest
            distance, first = heappop(self.heap)
        pair = [first, second := self.nearest[first]]
        self.sizes[new] = self.sizes[pair].sum()
        self.sums[new] = self.sums[pair].sum(axis=0)
        self.means[new] = self.sums[new] / self.sizes[new]
        self.holder[pair], self.distance[pair] = new, np.nan
        linked = self.linked(*pair)
        linked = linked[:-1] if len(linked) and linked[-1] == new else linked
        self.links[first] = self.links[second] = None
        self.links.append(linked)
        self.look(new, linked)
        lost = linked[np.isin(self.nearest[linked], pair)]
        for cluster in lost.tolist():
            self.links[cluster] = self.linked(cluster)
            self.look(cluster, self.links[cluster])
        return second, first
