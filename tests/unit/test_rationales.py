"""Messages whose deciding words are known, and the networks that choose and read words."""

import numpy as np
import pytest
import torch

from xai_course import data
from xai_course.rationales import (
    Reader,
    Selector,
    _surrogate,
    rationale_price,
    train_reader,
    train_selector,
)


@pytest.fixture(scope="module")
def messages():
    return data.shop_messages(600, seed=3)


def test_the_phrase_about_the_fit_decides(messages):
    good = {"good", "great", "perfect", "lovely", "fine"}
    for words, phrase, label in zip(messages.words, messages.phrases, messages.y, strict=True):
        fit = [word for word, on in zip(words, phrase, strict=True) if on]
        assert {"fit", "size", "cut"} & set(fit)
        assert not {"colour", "delivery"} & set(fit)
        assert (fit[-1] in good) != ("not" in fit) if label else (fit[-1] in good) == ("not" in fit)
        assert np.diff(np.flatnonzero(phrase)).max() == 1


def test_codes_and_words_are_the_same(messages):
    for words, codes, truth in zip(messages.words, messages.codes, messages.truth, strict=True):
        assert [messages.vocabulary[code] for code in codes[codes > 0]] == words
        assert not (truth & (codes == 0)).any()


@pytest.mark.parametrize("agreement", [0.0, 0.5, 1.0])
def test_agreement_is_what_the_others_say(agreement):
    drawn = data.shop_messages(2000, agreement, seed=1)
    good = {"good", "great", "perfect", "lovely", "fine"}
    agree = []
    for words, label in zip(drawn.words, drawn.y, strict=True):
        at = next(i for i, word in enumerate(words) if word in {"colour", "print", "pattern"})
        phrase = words[at : at + 5]
        end = next(i for i, word in enumerate(phrase) if word in good | BAD)
        agree.append(((phrase[end] in good) != ("not" in phrase[:end])) == label)
    assert abs(np.mean(agree) - agreement) < 0.04


BAD = {"bad", "awful", "poor", "terrible", "wrong"}


def test_messages_repeat_and_refuse():
    first, second = (data.shop_messages(5, seed=2) for _ in range(2))
    assert first.words == second.words
    with pytest.raises(ValueError, match="n must be"):
        data.shop_messages(0)
    with pytest.raises(ValueError, match="agreement must be"):
        data.shop_messages(5, 1.5)


def test_prices_by_hand():
    keep = torch.tensor([[1.0, 0, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1]])
    assert rationale_price(keep, 1.0, 0.0).tolist() == [3, 0, 4]
    assert rationale_price(keep, 0.0, 1.0).tolist() == [4, 0, 2]


def test_a_word_that_is_not_kept_is_not_read(messages):
    reader = Reader(len(messages.vocabulary))
    codes, keep = torch.tensor(messages.codes), torch.tensor(messages.truth).float()
    other = torch.where(keep > 0, codes, torch.randint(1, len(messages.vocabulary), codes.shape))
    assert torch.equal(reader(codes, keep), reader(other, keep))


def test_the_surrogate_has_the_gradient_of_the_expected_cost():
    """Two words, four choices: the exact expectation against the mean of many draws."""
    torch.manual_seed(0)
    selector, reader = Selector(4).double(), Reader(4).double()
    codes, y = torch.tensor([[1, 2]]), torch.tensor([1])
    choices = torch.tensor([[a, b] for a in (0.0, 1) for b in (0.0, 1)]).double()
    p = selector(codes).sigmoid()
    chance = (choices * p + (1 - choices) * (1 - p)).prod(1)
    logits = reader(codes.repeat(4, 1), choices)
    cost = torch.nn.functional.cross_entropy(logits, y.repeat(4), reduction="none")
    expected = (chance * (cost + rationale_price(choices, 0.3, 0.2))).sum()
    weight = selector.score.bias
    (exact,) = torch.autograd.grad(expected, weight)
    # A draw is compared with a mean that holds itself, which scales the gradient by 3/4.
    many = 20_000
    drawn = _surrogate(selector, reader, codes.repeat(many, 1), y.repeat(many), (0.3, 0.2))
    (found,) = torch.autograd.grad(drawn, weight)
    assert torch.isclose(found, 0.75 * exact, rtol=0.1)


def test_networks_learn_and_repeat(messages):
    how = messages.codes, messages.y, len(messages.vocabulary)
    reader = train_reader(*how, epochs=40)
    assert (reader.predict(messages.codes, messages.truth) == messages.y).mean() > 0.8
    before = [p.clone() for p in reader.parameters()]
    state = torch.random.get_rng_state()
    (one, same), (two, _) = (
        train_selector(*how, reader=reader, epochs=2, seed=1) for _ in range(2)
    )
    assert same is reader
    assert all(torch.equal(a, b) for a, b in zip(before, reader.parameters(), strict=True))
    assert np.array_equal(one.select(messages.codes), two.select(messages.codes))
    assert torch.equal(state, torch.random.get_rng_state())
    assert not one.select(messages.codes)[messages.codes == 0].any()
    _, other = train_selector(*how, epochs=1)
    assert other is not reader


def test_a_high_price_buys_nothing(messages):
    how = messages.codes, messages.y, len(messages.vocabulary)
    selector, _ = train_selector(*how, length_price=5.0, break_price=0.0, epochs=3)
    assert not selector.select(messages.codes).any()


@pytest.mark.parametrize(
    ("codes", "y", "message"),
    [
        (np.ones((2, 3)), [0, 1], "rows of word numbers"),
        (np.ones((2, 3), int) * 9, [0, 1], "from 0 to n_words - 1 = 4, got 9 to 9"),
        (np.ones((2, 3), int), [0, 2], "a 0 or a 1 for each of the 2"),
        (np.ones((2, 3), int), [0], "a 0 or a 1 for each of the 2"),
    ],
)
def test_bad_texts(codes, y, message):
    for train in (train_reader, train_selector):
        with pytest.raises(ValueError, match=message):
            train(codes, y, 5)


def test_bad_prices(messages):
    how = messages.codes, messages.y, len(messages.vocabulary)
    with pytest.raises(ValueError, match="length_price must be"):
        train_selector(*how, length_price=-1)
    with pytest.raises(ValueError, match="epochs must be"):
        train_selector(*how, epochs=0)
