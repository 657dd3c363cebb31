"""Simulated telemetry: what its sensors do, and that each fault shows where the labels say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from industrial_brain.domain.errors import InputError
from industrial_brain.simulation.faults import Kind
from industrial_brain.simulation.plant import Plant
from industrial_brain.simulation.sensors import METRICS, Equipment
from industrial_brain.simulation.telemetry import Readings, blocks

START = 1_764_000_000_000_000
MINUTE = 60_000_000


def plant_of(
    kinds: tuple[Kind, ...] = (),
    *,
    seed: int = 3,
    devices: int = 100,
    sites: int = 2,
    minutes: int = 1440,
    faults: int | None = None,
) -> Plant:
    return Plant.of(
        seed=seed,
        devices=devices,
        sites=sites,
        start=START,
        minutes=minutes,
        faults=len(kinds) if faults is None else faults,
        kinds=kinds or tuple(Kind),
    )


def series(
    plant: Plant, readings: list[Readings], device: int, metric: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Event times and values of one sensor, in the order in which they were sent."""
    code = plant.metrics.index(metric)
    rows = [(part, (part.device == device) & (part.metric == code)) for part in readings]
    return (
        np.concatenate([part.ts[found] for part, found in rows]),
        np.concatenate([part.value[found] for part, found in rows]),
    )


def all_of(plant: Plant) -> list[Readings]:
    return [part for block in blocks(plant) for part in block]


def beside(kind: Kind, seed: int = 3) -> tuple[Plant, list[Readings], list[Readings]]:
    """A plant with one fault of a kind, its readings, and those that it would have without the fault."""
    faulty = plant_of((kind,), seed=seed)
    return faulty, all_of(faulty), all_of(plant_of(seed=seed))


@pytest.fixture(scope="module")
def clean() -> tuple[Plant, list[Readings]]:
    plant = plant_of()
    return plant, all_of(plant)


def first_of(plant: Plant, kind: Equipment) -> int:
    return next(number for number, device in enumerate(plant.devices) if device.equipment is kind)


def test_equal_arguments_give_equal_readings_and_another_seed_others(clean: tuple[Plant, list[Readings]]) -> None:
    _, readings = clean
    for one, other in zip(readings, all_of(plant_of()), strict=True):
        assert np.array_equal(one.ts, other.ts)
        assert np.array_equal(one.value, other.value)
    assert not np.array_equal(readings[0].value[:50], all_of(plant_of(seed=4))[0].value[:50])


def test_everything_says_that_it_is_simulated(clean: tuple[Plant, list[Readings]]) -> None:
    plant, _ = clean
    assert all(site.startswith("sim-") for site in plant.sites)
    assert all(device.name.startswith("sim-") for device in plant.devices)
    assert len({(device.site, device.name) for device in plant.devices}) == 100


def test_five_in_a_hundred_readings_are_missing_and_the_rest_lie_in_the_span(
    clean: tuple[Plant, list[Readings]],
) -> None:
    plant, readings = clean
    sent = sum(map(len, readings))
    assert sent == pytest.approx(0.95 * plant.channels * plant.steps, rel=0.005)
    assert min(part.ts.min() for part in readings) >= START
    assert max(part.ts.max() for part in readings) < START + 1440 * MINUTE
    assert all(part.ts.max() < part.until for part in readings)


def test_a_channel_is_sent_in_the_order_of_its_time_and_never_twice(clean: tuple[Plant, list[Readings]]) -> None:
    plant, readings = clean
    for kind in Equipment:
        times, _ = series(plant, readings, first_of(plant, kind), METRICS[kind][0].name)
        assert (np.diff(times) > 0).all()


def test_the_sensors_of_a_pump_hang_together(clean: tuple[Plant, list[Readings]]) -> None:
    plant, readings = clean
    pump = first_of(plant, Equipment.PUMP)
    columns = [
        dict(zip(*series(plant, readings, pump, metric), strict=True)) for metric in ("pressure", "flow", "current")
    ]
    common = sorted(set.intersection(*map(set, columns)))
    matrix = np.corrcoef([[column[at] for at in common] for column in columns])
    assert matrix.min() > 0.9


def test_days_are_busier_than_nights(clean: tuple[Plant, list[Readings]]) -> None:
    plant, readings = clean
    times, flow = series(plant, readings, first_of(plant, Equipment.PUMP), "flow")
    hour = (times / 3.6e9 + 8) % 24
    assert np.median(flow[(hour > 8) & (hour < 11)]) > 1.5 * np.median(flow[(hour > 1) & (hour < 4)])


def test_energy_counts_the_power_and_wraps() -> None:
    plant = plant_of(minutes=7 * 1440, devices=50)
    readings = all_of(plant)
    meter = first_of(plant, Equipment.POWER_METER)
    _, energy = series(plant, readings, meter, "energy")
    _, power = series(plant, readings, meter, "power")
    steps = np.diff(energy)
    assert (steps < 0).any()
    assert steps[steps < 0].max() < -9_900  # only wraps fall
    assert (steps % 10_000).sum() == pytest.approx(power.mean() * 7 * 24, rel=0.01)


def test_a_valve_is_open_or_shut(clean: tuple[Plant, list[Readings]]) -> None:
    plant, readings = clean
    valve = first_of(plant, Equipment.VALVE)
    _, states = series(plant, readings, valve, "open")
    assert set(states.tolist()) == {0.0, 1.0}
    assert 5 < np.count_nonzero(np.diff(states)) < 100


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.OUTAGE, Kind.DROPOUT, Kind.CLOCK_SKEW)])
def test_a_fault_changes_the_values_that_its_label_names_and_no_others(kind: Kind) -> None:
    plant, faulty, sound = beside(kind)
    (fault,) = plant.faults
    sensors = METRICS[plant.devices[fault.device].equipment]
    shown = {sensors[metric].name for metric in fault.metrics}
    for one, other in zip(faulty, sound, strict=True):
        assert np.array_equal(one.ts, other.ts)
        touched = one.value != other.value
        assert set(one.device[touched].tolist()) <= {fault.device}
        assert {plant.metrics[code] for code in one.metric[touched].tolist()} <= shown
        inside = (one.ts >= plant.time_of(fault.first)) & (one.ts < plant.time_of(fault.last + 1))
        assert not (touched & ~inside).any()
    for metric in shown:
        times, values = series(plant, faulty, fault.device, metric)
        _, usual = series(plant, sound, fault.device, metric)
        inside = (times >= plant.time_of(fault.first)) & (times < plant.time_of(fault.last + 1))
        assert (values[inside] != usual[inside]).mean() > 0.5


def test_a_stuck_sensor_repeats_one_value() -> None:
    plant, faulty, _ = beside(Kind.STUCK)
    (fault,) = plant.faults
    metric = METRICS[plant.devices[fault.device].equipment][fault.metrics[0]].name
    times, values = series(plant, faulty, fault.device, metric)
    inside = (times >= plant.time_of(fault.first)) & (times < plant.time_of(fault.last + 1))
    assert len(set(values[inside].tolist())) == 1


def test_a_broken_relation_keeps_the_sensors_own_distribution() -> None:
    plant, faulty, sound = beside(Kind.BROKEN_RELATION)
    (fault,) = plant.faults
    metric = METRICS[Equipment.PUMP][fault.metrics[0]].name
    times, values = series(plant, faulty, fault.device, metric)
    _, usual = series(plant, sound, fault.device, metric)
    inside = (times >= plant.time_of(fault.first)) & (times < plant.time_of(fault.last + 1))
    assert values[inside].mean() == pytest.approx(usual[inside].mean(), abs=1.5 * usual.std())
    assert values[inside].std() < 2 * usual.std()


@pytest.mark.parametrize(("kind", "behind"), [(Kind.DROPOUT, False), (Kind.OUTAGE, True)])
def test_silence_is_whole_and_reaches_what_is_behind_a_gateway(kind: Kind, behind: bool) -> None:
    plant, faulty, sound = beside(kind)
    (fault,) = plant.faults
    silent = {fault.device} | {i for i, device in enumerate(plant.devices) if behind and device.parent == fault.device}
    assert len(silent) == (10 if behind else 1)
    for one, other in zip(faulty, sound, strict=True):
        gone = np.isin(other.device, list(silent))
        gone &= (other.ts >= plant.time_of(fault.first)) & (other.ts < plant.time_of(fault.last + 1))
        assert np.array_equal(one.value, other.value[~gone])


def test_a_skewed_clock_tells_other_times_and_equal_values() -> None:
    plant, faulty, sound = beside(Kind.CLOCK_SKEW)
    (fault,) = plant.faults
    metric = METRICS[plant.devices[fault.device].equipment][0].name
    times, values = series(plant, faulty, fault.device, metric)
    right, usual = series(plant, sound, fault.device, metric)
    assert sorted(values.tolist()) == sorted(usual.tolist())
    moved = times != right if np.array_equal(values, usual) else np.isin(times, right, invert=True)
    assert moved.sum() > 0.8 * (fault.last - fault.first)


def test_a_named_change_of_unit_names_it_while_it_lasts() -> None:
    for seed in range(20):
        plant = plant_of((Kind.UNIT_CHANGE,), seed=seed)
        (fault,) = plant.faults
        if fault.named:
            break
    code = plant.units.index(fault.unit)
    metric = plant.metrics.index(METRICS[plant.devices[fault.device].equipment][fault.metrics[0]].name)
    for part in all_of(plant):
        named = (part.unit == code) & (part.device == fault.device) & (part.metric == metric)
        inside = (part.ts >= plant.time_of(fault.first)) & (part.ts < plant.time_of(fault.last + 1))
        assert np.array_equal(named, inside & (part.device == fault.device) & (part.metric == metric))


def test_faults_keep_to_one_a_device_and_leave_the_first_third_clean() -> None:
    plant = plant_of(tuple(Kind), faults=33)
    assert {fault.kind for fault in plant.faults} == set(Kind)
    touched = [fault.device for fault in plant.faults]
    for fault in plant.faults:
        if fault.kind is Kind.OUTAGE:
            touched += [number for number, device in enumerate(plant.devices) if device.parent == fault.device]
    assert len(touched) == len(set(touched))
    assert all(plant.steps / 3 <= fault.first <= fault.last < plant.steps for fault in plant.faults)


def test_live_steps_come_one_by_one_after_a_history_in_large_blocks() -> None:
    plant = plant_of(minutes=100)
    ends = [block[0].until for block in blocks(plant, live_from=95)]
    assert np.diff([plant.start, *ends]).tolist() == [95 * MINUTE, *[MINUTE] * 5]


@pytest.mark.parametrize(
    "ask",
    [
        lambda: plant_of(seed=-1),
        lambda: plant_of(sites=0),
        lambda: plant_of(sites=373),
        lambda: plant_of(devices=3),
        lambda: plant_of(minutes=0),
        lambda: plant_of(faults=-1),
        lambda: plant_of(faults=101),
        lambda: plant_of(faults=1, minutes=5),
    ],
)
def test_what_can_not_be_simulated_is_refused(ask: Callable[[], Plant]) -> None:
    with pytest.raises(InputError):
        ask()


def test_declarations_name_gateways_limits_and_counters() -> None:
    plant = plant_of(devices=10)
    declared = list(plant.declarations())
    whole = {(one.site, one.device): one for one in declared if one.metric is None}
    assert len(whole) == 10
    assert {one.parent for one in whole.values()} == {None, "sim-l01-gateway"}
    (wrap,) = {one.wraps_at for one in declared if one.counter}
    assert wrap == 10_000
