"""Ridge regression in closed form, against scikit-learn's."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from recurra.training.closed_form import STRENGTHS, best_share, best_temperature, ridge


def problem(items, features, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(items, features)).astype(np.float32)
    x[:, 0] = 3  # a constant feature is left out
    y = x[:, 1:4] @ rng.normal(size=(3, 2)) + 0.5 * rng.normal(size=(items, 2)) + 7
    return x, y


def sklearns(x, y, weights, strength):
    scaler = StandardScaler().fit(x.astype(np.float64), sample_weight=weights)
    return scaler, Ridge(alpha=strength).fit(scaler.transform(x.astype(np.float64)), y, sample_weight=weights)


@pytest.mark.parametrize(("items", "features"), [(12, 40), (60, 9)])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_scikit_learns_ridge_of_the_strength_with_the_least_error_left_out(items, features, weighted):
    x, y = problem(items, features)
    weights = np.random.default_rng(1).integers(1, 4, items).astype(float) if weighted else np.ones(items)
    found = ridge(x, y, weights)
    errors, answers = [], []
    scaler = StandardScaler().fit(x.astype(np.float64), sample_weight=weights)
    z = scaler.transform(x.astype(np.float64))
    weights = weights / weights.mean()
    for strength in STRENGTHS:
        left_out = np.empty_like(y)
        # Spread and mean of the features stay those of all, as they are no part of the fit.
        for k in range(items):
            rest = np.arange(items) != k
            own = Ridge(alpha=strength, fit_intercept=True).fit(z[rest], y[rest], sample_weight=weights[rest])
            left_out[k] = own.predict(z[k : k + 1])[0]
        errors.append((weights[:, None] * (y - left_out) ** 2).sum())
        answers.append(left_out)
    best = int(np.argmin(errors))
    _, theirs = sklearns(x, y, weights, STRENGTHS[best])
    np.testing.assert_allclose(x @ found.weight.T + found.bias, theirs.predict(z), rtol=1e-3, atol=1e-3)
    if not weighted:
        np.testing.assert_allclose(found.left_out, answers[best], rtol=1e-5, atol=1e-5)


def test_emphasis_makes_a_feature_heard():
    x, y = problem(20, 200)
    loud = np.ones(200)
    loud[1:4] = 10  # the three that y is made of
    fresh, _ = problem(300, 200, seed=5)
    coefficients = np.random.default_rng(0)
    coefficients.normal(size=(20, 200))
    truth = fresh[:, 1:4] @ coefficients.normal(size=(3, 2)) + 7
    plain, heard = (ridge(x, y, np.ones(20), emphasis=e) for e in (None, loud))
    errors = [np.abs(fresh @ found.weight.T + found.bias - truth).mean() for found in (plain, heard)]
    assert errors[1] < 0.5 * errors[0]


def test_temperature_agrees_with_a_logistic_regression_on_the_scores():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, 4000)
    logit = np.where(codes == 1, 1.0, -1.0) * 1.2 + 1.5 * rng.normal(size=4000)
    scores = np.stack([np.zeros(4000), logit], axis=1)
    theirs = LogisticRegression(C=1e6, fit_intercept=False).fit(logit[:, None], codes).coef_[0, 0]
    assert 1 / best_temperature(scores, codes, np.ones(4000)) == pytest.approx(theirs, rel=0.2)


def test_the_share_goes_to_the_answer_that_is_right():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 200)
    good, bad = 3 * np.eye(3)[codes], rng.normal(size=(200, 3))
    shares = np.array([0.5, 0.0, 0.25, 0.75, 1.0])
    assert best_share(good, bad, codes, np.ones(200), shares) == 1.0
    assert best_share(bad, good, codes, np.ones(200), shares) == 0.0
    assert best_share(good, good, codes, np.ones(200), shares) == 0.5
