"""When not to say: sets of what may come that hold the truth as often as asked, and "don't know" where both may.

Class-conditional conformal prediction (Vovk et al. 2005): each kind is covered at the level on its own, so rare harm is not
traded for frequent peace.
"""

from __future__ import annotations

import numpy as np

from industrial_brain.domain.errors import LevelError
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.risks import Flags, Outlook

#: highest level, in percent, that can be asked for
HIGHEST_LEVEL = 99.0


def outlooks(held_out: Floats, harmed: Flags, prob: Floats, level: float = 90.0) -> list[Outlook]:
    """What may come of each new case.

    Args:
        held_out: (n,) probabilities of known cases, by fits that had not seen them.
        harmed: (n,) what came of those.
        prob: (m,) probabilities of the new cases.
        level: percent of cases of each kind whose set holds the truth, at least.

    Raises:
        LevelError: not above 0 and up to 99.

    The promise is for cases like the known ones. `NEITHER` says that a case looks like none of them.
    """
    if not 0.0 < level <= HIGHEST_LEVEL:
        raise LevelError(f"{level:g} is not a level that can be answered.", "Give a percentage above 0 and up to 99.")
    least = 1.0 - level / 100.0
    hurt, unhurt = np.sort(held_out[harmed]), np.sort(held_out[~harmed])
    harm = (np.searchsorted(hurt, prob, "right") + 1.0) / (len(hurt) + 1.0) > least
    peace = (len(unhurt) - np.searchsorted(unhurt, prob, "left") + 1.0) / (len(unhurt) + 1.0) > least
    names = {(True, True): Outlook.UNKNOWN, (True, False): Outlook.HARM, (False, True): Outlook.NO_HARM}
    return [names.get((bool(h), bool(p)), Outlook.NEITHER) for h, p in zip(harm, peace, strict=True)]
