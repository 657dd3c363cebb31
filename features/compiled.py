"""The one place where functions are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a numeric function to machine code on its first call; the code is cached on disk for the next process.

    The function may only use numbers, NumPy arrays, and compiled functions *of its own file*: the disk cache notices a
    change of a function's file, not of a file that it calls into. It releases the GIL.
    """
    return cast("Callable[P, R]", njit(cache=True, nogil=True)(function))
