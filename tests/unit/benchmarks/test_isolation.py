from __future__ import annotations

import os

import pytest

from benchmarks.isolation import Task, measure
from industrial_brain.domain.errors import NothingToTrainError, UnavailableError
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.protocols import no_progress
from tests.unit.benchmarks import fake_methods

TASK = Task(Panel.of([[1.0, 2.0], [3.0, 4.0, 5.0]]), 2)


def test_answers_come_back_one_a_task_in_order() -> None:
    told: list[tuple[int, int | None]] = []
    tasks = [TASK, Task(Panel.of([[9.0]]), 1)]
    found = measure("fake", fake_methods.last_value, tasks, lambda done, total: told.append((done, total)))
    assert [answer.mean.tolist() for answer in found.answers] == [[[2, 2], [5, 5]], [[9]]]
    assert told[-1] == (3, 3)


def test_cpu_and_memory_of_the_process_are_counted() -> None:
    found = measure("fake", fake_methods.burns_cpu_a_series, [TASK], no_progress)
    assert found.cpu_seconds[0] >= 2 * 0.05  # two series
    assert found.peak_mb > 1


def test_a_measured_process_has_one_thread_and_ours_keeps_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = measure("fake", fake_methods.tells_its_threads, [TASK], no_progress)
    assert found.answers[0].mean[0, 0] == 1.0
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_our_own_errors_cross_the_process_border_whole() -> None:
    with pytest.raises(NothingToTrainError) as caught:
        measure("fake", fake_methods.raises_ours, [TASK], no_progress)
    assert (caught.value.message, caught.value.next_step) == ("There is nothing here.", "Bring data.")


def test_a_process_that_dies_is_an_error_that_names_the_method_and_the_exit_code() -> None:
    with pytest.raises(UnavailableError, match="measured fake ended with exit code 7"):
        measure("fake", fake_methods.dies, [TASK], no_progress)
