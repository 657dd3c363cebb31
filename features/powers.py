"""The power transformation of Box and Cox (1964), for the powers 1, 1/2 and 0 (the logarithm)."""

from __future__ import annotations

import numpy as np

from industrial_brain.domain.panel import Floats


def powered(values: Floats, power: Floats) -> Floats:
    """Values after the power, which is given beside each of them; under a root or a logarithm they are taken as positive."""
    positive = np.maximum(values, 1e-12)
    return np.where(power == 0.0, np.log(positive), np.where(power == 0.5, 2.0 * np.sqrt(positive), values))


def unpowered(z: Floats, power: Floats) -> Floats:
    """The inverse of `powered`; a median goes in, and a median comes out."""
    root = np.maximum(z, 0.0) / 2.0
    return np.where(power == 0.0, np.exp(np.minimum(z, 50.0)), np.where(power == 0.5, root * root, z))
