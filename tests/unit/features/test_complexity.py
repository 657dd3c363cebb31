"""ECI and PCI beside an independent computation, and where they can't be computed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from features.complexity import complexity, reflections
from features.specialisation import Flags
from industrial_brain.domain.panel import Floats


@pytest.fixture
def nested() -> Flags:
    """Capable regions do all that others do, and more; with some noise, as in the data of the papers."""
    rng = np.random.default_rng(0)
    skill, difficulty = np.sort(rng.random(40)), rng.random(60)
    return np.asarray(1.4 * skill[:, None] + 0.2 > difficulty + 0.3 * rng.random((40, 60)))


def test_it_is_the_second_eigenvector_of_the_papers_matrix(nested: Flags) -> None:
    """The matrix as the Atlas writes it down, not symmetric, given to a general solver."""
    places = nested.astype(float)
    by_region = places / places.sum(axis=1, keepdims=True)
    by_activity = places / places.sum(axis=0, keepdims=True)
    for matrix, found in (
        (by_region @ by_activity.T, complexity(nested).eci),
        (by_activity.T @ by_region, complexity(nested).pci),
    ):
        values, vectors = np.linalg.eig(matrix)
        second = np.real(vectors[:, np.argsort(-np.real(values))[1]])
        expected = (second - second.mean()) / second.std()
        np.testing.assert_allclose(found, expected * np.sign(expected @ found), atol=1e-8)


def test_many_reflections_end_at_the_eigenvectors(nested: Flags) -> None:
    eci, pci = reflections(nested, rounds=20)
    found = complexity(nested)
    assert np.corrcoef(eci, found.eci)[0, 1] > 0.999
    assert np.corrcoef(pci, found.pci)[0, 1] > 0.999


def test_capable_regions_are_complex_and_rare_activities_too(nested: Flags) -> None:
    found = complexity(nested)
    assert np.corrcoef(found.eci, nested.sum(axis=1))[0, 1] > 0.9
    assert np.corrcoef(found.pci, nested.sum(axis=0))[0, 1] < -0.9
    assert np.isclose(found.eci.mean(), 0.0) and np.isclose(found.eci.std(), 1.0)


@pytest.mark.parametrize("transform", [np.asarray, np.fliplr, np.flipud])
def test_the_sign_does_not_depend_on_the_order(nested: Flags, transform: Callable[[Flags], Flags]) -> None:
    given = transform(nested)
    back: Floats = complexity(given).eci[::-1] if transform is np.flipud else complexity(given).eci
    np.testing.assert_allclose(back, complexity(nested).eci, atol=1e-9)


def test_regions_with_the_same_activities_have_the_same_index(nested: Flags) -> None:
    given = np.vstack([nested, nested[7]])
    found = complexity(given).eci
    assert np.isclose(found[7], found[-1])


def test_only_the_largest_connected_part_is_ranked(nested: Flags) -> None:
    island = np.zeros((42, 62), dtype=bool)
    island[:40, :60] = nested
    island[40:, 60:] = True
    found = complexity(island)
    assert np.isnan(found.eci[40:]).all() and np.isnan(found.pci[60:]).all()
    np.testing.assert_allclose(found.eci[:40], complexity(nested).eci, atol=1e-9)
    assert "2 regions and 2 activities" in found.note


def test_a_double_eigenvalue_is_said_and_not_ranked() -> None:
    # a ring: every region has two activities, each shared with one neighbour; all turns of it are alike
    ring = np.eye(6, dtype=bool) | np.roll(np.eye(6, dtype=bool), 1, axis=1)
    found = complexity(ring)
    assert np.isnan(found.eci).all()
    assert "no one ranking" in found.note


@pytest.mark.parametrize("present", [np.zeros((4, 5), dtype=bool), np.ones((4, 5), dtype=bool), np.eye(4, dtype=bool)])
def test_where_nothing_differs_or_nothing_is_there_nothing_is_ranked(present: Flags) -> None:
    found = complexity(present)
    assert np.isnan(found.eci).all() and found.note


def test_an_odd_number_of_reflections_is_refused(nested: Flags) -> None:
    with pytest.raises(ValueError, match="even"):
        reflections(nested, rounds=5)
