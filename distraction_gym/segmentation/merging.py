"""Regions of one colour, grown from single pixels by merging neighbours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


_SLACK = 1.1
"""How much longer than straight the way from colour to colour may be that leads through a blend:
in CIELAB the ways of mixed light are bent."""


class Regions:
    """The regions of a picture, at first one per pixel.

    Every round each region joins its most similar neighbour (4 neighbours, by mean colour), all at
    once: Borůvka's algorithm on the regions' adjacency graph, in a few array operations per round
    instead of a loop over pixels. Equal differences are settled by the order of the pixels.

    Attributes: `labels` `(H, W)` int64 from 0, `sizes` `(n,)` in pixels.

    Args:
        colors: `(H, W, C)` float, in which Euclidean distance is how different two colours are.
    """

    def __init__(self, colors: npt.NDArray[np.float32]) -> None:
        height, width = colors.shape[:2]
        pixels = np.arange(height * width)
        self.labels = pixels.reshape(height, width)
        self.sizes: Numbers = np.ones(len(pixels))
        self._sums = colors.reshape(len(pixels), -1).T.astype(np.float64)
        across, down = self.labels[:, :-1].ravel(), self.labels[:-1].ravel()
        self._edges = np.concatenate([[across, across + 1], [down, down + width]], axis=1)

    @property
    def means(self) -> Numbers:
        """Mean colours, `(n, C)`."""
        return (self._sums / self.sizes).T

    def merge(self, tolerance: float) -> None:
        """Merge neighbours until all differ by more than the tolerance."""
        while self._join(tolerance, np.ones(len(self.sizes), np.bool_)):
            pass

    def absorb(self, area: float) -> None:
        """Merge regions of fewer pixels into the neighbour that they differ least from."""
        while self._join(np.inf, self.sizes < area):
            pass

    def absorb_blends(self) -> None:
        """Merge thin regions whose colour lies between two neighbours' into the nearer of these.

        They are the borders that antialiasing leaves, and no things.
        """
        while self._join(np.inf, self._blends()):
            pass

    def _blends(self) -> npt.NDArray[np.bool_]:
        means, thin = self.means, self._thin()
        nearest = self._nearest(np.inf, thin)
        region, other = np.concatenate([self._edges, self._edges[::-1]], axis=1)

        def way(one: Indices, another: Indices) -> Numbers:
            return np.asarray(np.linalg.norm(means[one] - means[another], axis=1), np.float64)

        through = way(region, nearest[region]) + way(region, other)
        between = through <= _SLACK * way(nearest[region], other)
        blends = np.zeros(len(self.sizes), np.bool_)
        blends[region[between & (other != nearest[region])]] = True
        return blends & thin

    def _thin(self) -> npt.NDArray[np.bool_]:
        """Return which regions have no pixel with all 4 neighbours in them."""
        padded = np.pad(self.labels, 1, mode="edge")
        inner = np.ones(self.labels.shape, np.bool_)
        for shifted in (padded[2:, 1:-1], padded[:-2, 1:-1], padded[1:-1, 2:], padded[1:-1, :-2]):
            inner &= shifted == self.labels
        return np.asarray(np.bincount(self.labels[inner], minlength=len(self.sizes)) == 0)

    def _join(self, tolerance: float, movers: npt.NDArray[np.bool_]) -> bool:
        """Let each mover join its most similar neighbour, if there is one within the tolerance."""
        parents = self._nearest(tolerance, movers)
        chosen = bool((parents != np.arange(len(parents))).any())
        if chosen:
            self._contract(_roots(parents))
        return chosen

    def _nearest(self, tolerance: float, movers: npt.NDArray[np.bool_]) -> Indices:
        """Return each mover's most similar neighbour within the tolerance; else the region."""
        first, second = self._edges
        colors = self._sums / self.sizes
        differences = np.square(colors[:, first] - colors[:, second]).sum(axis=0)
        near = np.flatnonzero((differences <= tolerance**2) & (movers[first] | movers[second]))
        near = near[np.argsort(-differences[near], kind="stable")]
        first, second = first[near], second[near]
        parents = np.arange(len(self.sizes))
        # Of several neighbours the last one written stays. All regions see their edges in one
        # order: chains end in two regions that chose each other, never in a circle.
        ends = np.stack([first, second], axis=1).ravel()
        others = np.stack([second, first], axis=1).ravel()
        parents[ends] = others
        return np.where(movers, parents, np.arange(len(parents)))

    def _contract(self, roots: Indices) -> None:
        """Make one region of all that have the same root."""
        is_root = roots == np.arange(len(roots))
        labels = (np.cumsum(is_root) - 1)[roots]
        count = int(is_root.sum())
        self.labels = labels[self.labels]
        self.sizes = np.asarray(np.bincount(labels, self.sizes, count), np.float64)
        self._sums = np.stack([np.bincount(labels, sums, count) for sums in self._sums])
        edges = labels[self._edges]
        low, high = np.minimum(*edges), np.maximum(*edges)
        keys = np.unique((low * count + high)[low != high])
        self._edges = np.stack(np.divmod(keys, count))


def _roots(parents: Indices) -> Indices:
    """Return where every chain of parents ends; of two that chose each other, the first one."""
    indices = np.arange(len(parents))
    mutual = (parents[parents] == indices) & (indices < parents)
    parents = np.where(mutual, indices, parents)
    while (parents[parents] != parents).any():
        parents = parents[parents]
    return parents
