import numpy as np
import pytest

from recurra.serving.models.interval_factors import LEVELS, spread_factors, widened


@pytest.mark.parametrize("seed", range(40))
def test_an_interval_of_more_coverage_holds_one_of_less(seed):
    rng = np.random.default_rng(seed)
    errors = rng.standard_t(2, size=int(rng.integers(2, 30))) * rng.choice([0.01, 1, 1], size=1)
    factors = spread_factors(np.round(errors, int(rng.integers(0, 4))))
    edges = [widened(q, factors) for q in np.linspace(0.0005, 0.9995, 1999)]
    assert np.diff(edges).min() > -1e-12
    np.testing.assert_allclose(edges, -np.array(edges[::-1]), atol=1e-9)


def test_at_its_levels_an_interval_holds_the_share_of_the_errors():
    z = np.random.default_rng(0).standard_t(3, size=1000)
    factors = spread_factors(z)
    for level in LEVELS:
        assert abs((np.abs(z) <= widened((1 + level) / 2, factors) + 1e-9).mean() - level) < 0.002
