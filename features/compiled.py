"""The one place where functions are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a numeric function to machine code on its first call; the code is cached on disk for the next process.

    The function may only use numbers, NumPy arrays and other compiled functions. It releases the GIL.
    """
    return cast("Callable[P, R]", njit(cache=True, nogil=True)(function))
