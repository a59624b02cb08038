"""The baselines on synthetic sources of known entropy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.evaluation.baselines import Corpus, context_of, likelihood, markov, unigram

NAMES, SIZES = ("a", "b"), (9, 9)


def draws(seed):
    return np.random.Generator(np.random.Philox(key=seed))


def corpus(*columns, starts=(0,)):
    return Corpus(np.stack(columns, axis=1).astype(np.uint16), np.array(starts))


def coin(seed, chances, length=20_000):
    return 1 + draws(seed).choice(len(chances), length, p=chances)


def entropy(chances):
    p = np.array(chances)
    return float(-(p * np.log(p)).sum())


def test_independent_draws_cost_their_entropy_in_both():
    chances = (0.5, 0.25, 0.125, 0.125)
    train, test = (
        corpus(coin(s, chances, 200_000), coin(s + 1, (0.5, 0.5), 200_000)) for s in (1, 3)
    )
    for found in (unigram(train, test, NAMES, SIZES), markov(train, test, NAMES, SIZES, 1)):
        assert found.nats["a"] == pytest.approx(entropy(chances), abs=0.01)
        assert found.nats["b"] == pytest.approx(np.log(2), abs=0.01)
        assert found.nats_per_note == pytest.approx(found.nats["a"] + found.nats["b"])


def test_unigram_accuracy_is_the_share_of_the_commonest_value():
    chances = (0.1, 0.6, 0.3)
    train, test = (corpus(coin(s, chances), coin(s, chances)) for s in (1, 2))
    assert unigram(train, test, NAMES, SIZES).accuracy["a"] == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize("back", [1, 2, 3])
def test_what_follows_from_events_before_costs_nothing(back):
    """A repeats with a period, b equals a's value: all known but the first events."""
    random = 1 + draws(0).integers(0, 4, back)
    a = np.tile(random, 4000)[:4000]
    for i in range(back, len(a)):
        a[i] = 1 + (a[i - back] * 3 + 1) % 7
    train = corpus(a, a)
    found = markov(train, train, NAMES, SIZES)
    assert found.nats["a"] < 0.02
    assert found.nats["b"] < 0.02
    assert found.nats_per_note < unigram(train, train, NAMES, SIZES).nats_per_note - 1


def test_a_markov_source_costs_its_entropy_rate():
    """From each of four states two are reached, one with 3/4, the other with 1/4."""
    steps = (draws(5).random(200_000) < 0.25).astype(int)
    a = np.cumsum(1 + steps) % 4 + 1
    ones = np.ones_like(a)
    train, test = corpus(a[:150_000], ones[:150_000]), corpus(a[150_000:], ones[150_000:])
    found = markov(train, test, NAMES, SIZES, order=1)
    assert found.nats["a"] == pytest.approx(entropy((0.25, 0.75)), abs=0.005)
    assert unigram(train, test, NAMES, SIZES).nats["a"] == pytest.approx(np.log(4), abs=0.01)


def test_a_field_sees_the_fields_before_it_and_not_those_after():
    a, b = coin(1, (0.25,) * 4, 50_000), None
    b = a % 4 + 1
    found = markov(corpus(a, b), corpus(a, b), NAMES, SIZES, order=1)
    assert found.nats["b"] < 0.01
    assert found.nats["a"] == pytest.approx(np.log(4), abs=0.01)


def test_chances_of_all_values_sum_to_one():
    """Under any context, also one never seen: ask for every value in turn."""
    train = corpus(coin(1, (0.7, 0.2, 0.1), 300), coin(2, (0.5, 0.5), 300))
    values = np.arange(1, 9)
    for before in (1, 2, 3, 8):
        pieces = [np.stack(([before, v], [1, 1]), axis=1) for v in values]
        test = Corpus(np.concatenate(pieces), np.arange(0, 16, 2))
        targets = test.events.copy()
        total = 0.0
        for i in range(len(values)):
            one = Corpus(targets[2 * i : 2 * i + 2], np.array([0]))
            first = markov(train, Corpus(one.events[:1], np.array([0])), NAMES, SIZES).nats["a"]
            both = markov(train, one, NAMES, SIZES).nats["a"]
            total += np.exp(first - 2 * both)
        assert total == pytest.approx(1)


def test_unknown_targets_are_neither_learned_nor_scored():
    a = coin(1, (0.5, 0.5), 4000)
    hidden = np.where(np.arange(4000) % 2, a, 0)
    found = unigram(corpus(a, hidden), corpus(a, hidden), NAMES, SIZES)
    assert found.nats["b"] == pytest.approx(np.log(2), abs=0.02)
    assert found.nats_per_note == pytest.approx(found.nats["a"] + found.nats["b"] / 2)
    nothing = markov(corpus(a, 0 * a), corpus(a, 0 * a), NAMES, SIZES)
    assert nothing.nats["b"] == 0


def test_no_event_looks_across_the_beginning_of_its_piece():
    events = np.arange(1, 13).reshape(6, 2)
    found = Corpus(events, np.array([0, 2, 5]))
    assert found.column(0, 0).tolist() == [1, 3, 5, 7, 9, 11]
    assert found.column(0, 1).tolist() == [0, 1, 0, 5, 7, 0]
    assert found.column(0, 2).tolist() == [0, 0, 0, 0, 5, 0]
    assert found.column(1, 3).tolist() == [0, 0, 0, 0, 0, 0]


@given(st.integers(0, 6), st.integers(1, 4))
def test_the_context_knows_only_what_came_before(field, order):
    context = context_of(field, order)
    assert len(set(context)) == len(context) == field + order
    assert all(back > 0 or other < field for other, back in context)
    assert {back for other, back in context if other == field} == set(range(1, order + 1))


def test_likelihood_of_a_table():
    targets = np.array([[1, 0], [2, 1], [0, 0]])
    nats = np.array([[1.0, 9], [3, 2], [9, 9]])
    found = likelihood("x", NAMES, targets, nats, np.array([[1, 1], [0, 1], [1, 1]]))
    assert found.nats == {"a": 2.0, "b": 2.0}
    assert found.accuracy == {"a": 0.5, "b": 1.0}
    assert found.nats_per_note == pytest.approx(2.0)
    assert found.notes == 3
    assert likelihood("x", NAMES, targets, nats).accuracy == {}
