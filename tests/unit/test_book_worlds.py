"""The small worlds, against simulation and against their own rules."""

import numpy as np
import pytest

from xai_course.book.worlds import GOAL, SQUARES, START, make_world


@pytest.fixture
def world():
    return make_world(np.random.default_rng(3))


def test_chances_add_up_and_ends_have_no_way_on(world):
    sums = world.chance.sum(axis=2)
    ends = world.abyss | (np.arange(len(SQUARES)) == GOAL)
    assert np.allclose(sums[:, ~ends], 1)
    assert (sums[:, ends] == 0).all()
    assert not world.abyss[[START, GOAL]].any()


def test_worth_is_the_mean_of_many_walks(world):
    rng = np.random.default_rng(0)
    moves = np.full(len(SQUARES), 3)  # to the right, from the start into the abyss
    moves[START] = 0
    won = []
    for _ in range(1000):
        at, total, factor = START, 0.0, 1.0
        for _ in range(400):
            chances = world.chance[moves[at], at]
            if not chances.any():
                break
            at = rng.choice(len(chances), p=chances)
            total, factor = total + factor * world.reward[at], factor * 0.99
        won.append(total)
    error = np.std(won) / len(won) ** 0.5
    assert abs(np.mean(won) - world.worth(moves)) < 4 * error


def test_the_agent_is_nearly_the_best_and_walks_where_it_may(world):
    rng = np.random.default_rng(0)
    moves = world.agent(rng).forward(SQUARES).argmax(axis=1)
    assert world.worth(moves) > world.worth(np.full(len(SQUARES), 3)) + 10
    seen = world.visit(moves, rng)
    assert START in seen
    assert GOAL not in seen
    assert not world.abyss[seen].any()
