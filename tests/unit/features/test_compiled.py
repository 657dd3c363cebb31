from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import pytest
from numba.core.registry import CPUDispatcher

import features
import models


def _modules() -> list[ModuleType]:
    return [
        importlib.import_module(found.name)
        for package in (features, models)
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]


@pytest.mark.parametrize("module", _modules(), ids=lambda module: module.__name__)
def test_no_compiled_function_calls_into_another_file(module: ModuleType) -> None:
    """The disk cache would not notice a change there, and would answer with the old numbers."""
    ours = [f for f in vars(module).values() if isinstance(f, CPUDispatcher) and f.__module__ == module.__name__]
    for function in ours:
        for name in function.py_func.__code__.co_names:
            called = getattr(module, name, None)
            if isinstance(called, CPUDispatcher):
                assert called.__module__ == module.__name__, f"{function} calls {called.__module__}.{name}"
