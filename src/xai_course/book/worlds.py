"""Small worlds for an agent: squares between abysses, and a network that walks there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import Ridge

from xai_course.networks import PiecewiseLinearNetwork

__all__ = ["SQUARES", "STEPS", "World", "make_world"]

HEIGHT, WIDTH = 6, 12
SQUARES = np.indices((HEIGHT, WIDTH)).reshape(2, -1).T  # row and column of each square
STEPS = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)])  # up, down, left, right
START, GOAL = WIDTH * (HEIGHT - 1), WIDTH * HEIGHT - 1
DISCOUNT = 0.99


@dataclass(frozen=True, eq=False)
class World:
    """A world of 6 times 12 squares, from the lower left to the lower right.

    Attributes
    ----------
    chance : ndarray, shape (4, 72, 72)
        The chance to come from a square to another one with a move; zeros from abysses and the
        goal, where a walk ends.
    reward : ndarray, shape (72,)
        On arrival: -1, in an abyss -50, at the goal 0.
    abyss : ndarray of bool, shape (72,)
    """

    chance: np.ndarray
    reward: np.ndarray
    abyss: np.ndarray

    def worth(self, moves: np.ndarray) -> float:
        """Return what a policy, a move for each square, wins from the start on, exactly."""
        way = self.chance[moves, np.arange(len(moves))]
        left = np.eye(len(moves)) - DISCOUNT * way
        return float(np.linalg.solve(left, way @ self.reward)[START])

    def visit(self, moves: np.ndarray, rng: np.random.Generator, walks: int = 10) -> np.ndarray:
        """Return the squares that a policy meets in some walks of up to 60 steps, ends left out."""
        at, seen = np.full(walks, START), []
        for _ in range(60):
            at = at[self.chance[moves[at], at].sum(axis=1) > 0]
            seen.append(at)
            sums = self.chance[moves[at], at].cumsum(axis=1)
            at = np.minimum((rng.random((len(at), 1)) > sums).sum(axis=1), GOAL)
        return np.concatenate(seen)

    def agent(self, rng: np.random.Generator, neurons: int = 150) -> PiecewiseLinearNetwork:
        """Return a network from row and column to Q, what is still to be won after each move.

        Its hidden neurons are random, and its output is fitted to the exact values.
        """
        Q = np.zeros((len(SQUARES), len(STEPS)))
        for _ in range(300):
            Q = (self.chance @ (self.reward + DISCOUNT * Q.max(axis=1))).T
        first, through = rng.normal(size=(neurons, 2)), SQUARES[rng.integers(GOAL, size=neurons)]
        bias = 0.3 * rng.normal(size=neurons) - (first * through).sum(axis=1)
        on = self.chance.sum(axis=(0, 2)) > 0
        last = Ridge(1e-3).fit(np.maximum(0, SQUARES[on] @ first.T + bias), Q[on])
        return PiecewiseLinearNetwork([first, last.coef_], [bias, last.intercept_])


def make_world(rng: np.random.Generator, slip: float = 0.2) -> World:
    """Draw a world: an abyss along the lower edge, and one from above, two squares wide.

    With the chance `slip` a step goes in a random direction.
    """
    chance = np.zeros((len(STEPS), len(SQUARES), len(SQUARES)))
    for done, step in enumerate(STEPS):
        to = np.clip(SQUARES + step, 0, [HEIGHT - 1, WIDTH - 1]) @ [WIDTH, 1]
        for wanted in range(len(STEPS)):
            share = slip / 4 + (1 - slip) * (wanted == done)
            chance[wanted, np.arange(len(SQUARES)), to] += share
    (row, column), left = SQUARES.T, rng.integers(2, WIDTH - 3)
    abyss = (row == HEIGHT - 1) & (column > 0) & (column < WIDTH - 1)
    abyss |= (column >= left) & (column < left + 2) & (row < rng.integers(1, 4))
    reward = np.where(abyss, -50.0, -1.0)
    reward[GOAL] = 0
    chance[:, abyss | (np.arange(len(SQUARES)) == GOAL)] = 0
    return World(chance, reward, abyss)
