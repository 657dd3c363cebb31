"""What becomes of readings: taken, told from duplicates, refused with a reason; and always durable before the answer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from industrial_brain.domain.telemetry import BackPressureError, Declaration, ItemError
from streaming.channels import ChannelIndex
from tests.unit.streaming.conftest import NOW, SECOND, Stream, submission

T1, T2, T3 = NOW - 30 * SECOND, NOW - 20 * SECOND, NOW - 10 * SECOND


def codes(errors: tuple[ItemError, ...]) -> list[tuple[int, str]]:
    return [(error.index, error.code) for error in errors]


def test_readings_are_in_the_inbox_when_the_receipt_comes(stream: Stream) -> None:
    receipt = stream.send(("press-1", "temperature", T1, 20.5), ("press-1", "pressure", T1, 3.0))
    assert (receipt.accepted, receipt.duplicate, receipt.late, receipt.rejected) == (2, 0, 0, 0)
    assert stream.rows() == [("press-1", "temperature", -30, 20.5, False), ("press-1", "pressure", -30, 3.0, False)]


def test_names_are_stored_with_the_first_readings_that_use_them_and_keep_their_keys(stream: Stream) -> None:
    stream.send(("a", "t", T1, 1.0), ("b", "t", T1, 1.0), units=["Cel", ""])
    stream.send(("c", "t", T1, 1.0), site="mill")
    stream.restart()
    index = stream.telemetry.channels
    assert [index.name(key).device for key in range(3)] == ["a", "b", "c"]
    assert (index.name(0).unit, index.name(2).site) == ("Cel", "mill")
    stream.send(("b", "t", T2, 2.0), ("d", "t", T2, 2.0))
    assert [row[0] for row in stream.rows()[-2:]] == ["b", "d"]
    assert len(stream.telemetry.channels) == 4


def test_the_same_device_name_at_two_sites_is_two_devices(stream: Stream) -> None:
    stream.send(("a", "t", T1, 1.0), site="works")
    receipt = stream.send(("a", "t", T1, 1.0), site="mill")
    assert receipt.accepted == 1
    assert len(stream.telemetry.channels) == 2


def test_a_reading_sent_again_is_a_duplicate(stream: Stream) -> None:
    stream.send(("a", "t", T1, 1.0))
    receipt = stream.send(("a", "t", T1, 1.0), ("a", "t", T2, 2.0))
    assert (receipt.accepted, receipt.duplicate) == (1, 1)
    assert len(stream.rows()) == 2


def test_another_value_for_the_same_moment_supersedes_and_keeps_history(stream: Stream) -> None:
    stream.send(("a", "t", T1, 1.0))
    receipt = stream.send(("a", "t", T1, 1.5))
    assert (receipt.accepted, receipt.duplicate) == (1, 0)
    assert [row[3:] for row in stream.rows()] == [(1.0, False), (1.5, True)]
    assert stream.telemetry.newest(0) == (T1, 1.5, 0)


def test_a_late_reading_is_taken_and_does_not_move_the_newest(stream: Stream) -> None:
    stream.send(("a", "t", T3, 3.0))
    receipt = stream.send(("a", "t", T1, 1.0))
    assert (receipt.accepted, receipt.late) == (1, 1)
    assert stream.rows()[-1] == ("a", "t", -30, 1.0, True)
    assert stream.telemetry.newest(0) == (T3, 3.0, 0)


def test_a_late_reading_sent_again_is_a_duplicate_of_what_is_stored(stream: Stream) -> None:
    stream.send(("a", "t", T1, 1.0), ("a", "t", T3, 3.0))
    receipt = stream.send(("a", "t", T1, 1.0), ("a", "t", T2, 2.0))
    assert (receipt.accepted, receipt.duplicate, receipt.late) == (1, 1, 1)


def test_duplicates_within_one_request_are_found_in_any_order(stream: Stream) -> None:
    receipt = stream.send(
        ("a", "t", T3, 3.0), ("a", "t", T1, 1.0), ("a", "t", T1, 1.0), ("a", "t", T1, 1.5), ("a", "t", T3, 3.0)
    )
    assert (receipt.accepted, receipt.duplicate, receipt.late) == (3, 2, 2)


def test_duplicates_across_requests_of_one_transaction_are_found(stream: Stream) -> None:
    rows = [("a", "t", T3, 3.0), ("a", "t", T1, 1.0)]
    receipts = stream.send_all(*(submission(rows, digest=bytes([i] * 16)) for i in range(5)))
    assert sum(receipt.accepted for receipt in receipts) == 2
    assert sum(receipt.duplicate for receipt in receipts) == 8


def test_a_whole_request_sent_again_within_a_day_is_recognised_by_its_digest(stream: Stream) -> None:
    stream.send(("a", "t", T1, 1.0), ("a", "t", T1, 1.0), digest=b"d" * 16)
    stream.now += 60 * SECOND
    again = stream.send(("a", "t", T1, 1.0), ("a", "t", T1, 1.0), digest=b"d" * 16)
    assert (again.accepted, again.duplicate) == (0, 2)
    other_site = stream.send(("a", "t", T1, 1.0), digest=b"d" * 16, site="mill")
    assert other_site.accepted == 1


def test_a_request_with_refused_rows_is_judged_again_when_it_comes_again(stream: Stream) -> None:
    rows = (("a", "t", T1, 1.0), ("a", "t", NOW + 3600 * SECOND, 2.0))
    assert stream.send(*rows, digest=b"d" * 16).rejected == 1
    stream.now += 3600 * SECOND
    again = stream.send(*rows, digest=b"d" * 16)
    assert (again.accepted, again.duplicate, again.rejected) == (1, 1, 0)


def test_what_no_channel_can_take_is_refused_by_item_with_its_reason(stream: Stream) -> None:
    receipt = stream.send(
        ("a", "t", T1, math.nan),
        ("a", "t", T1, math.inf),
        ("a", "t", 0, 1.0),
        ("a", "t", NOW + 3600 * SECOND, 1.0),
        ("", "t", T1, 1.0),
        ("x" * 257, "t", T1, 1.0),
        ("a", "", T1, 1.0),
        ("a", "t", T1, 1.0),
    )
    assert (receipt.accepted, receipt.rejected) == (1, 7)
    assert [code for _, code in codes(receipt.errors)] == [
        *["not-finite"] * 2, "too-old", "in-the-future", *["bad-name"] * 3
    ]  # fmt: skip
    assert [error.index for error in receipt.errors] == list(range(7))
    assert len(stream.telemetry.channels) == 1


def test_a_channel_keeps_its_unit(stream: Stream) -> None:
    assert stream.send(("a", "t", T1, 1.0), units=[""]).accepted == 1
    receipt = stream.send(("a", "t", T2, 1.0), ("a", "t", T3, 1.0), units=["Cel", "K"])
    assert codes(receipt.errors) == [(1, "unit-changed")]
    stream.restart()
    assert codes(stream.send(("a", "t", T3, 1.0), units=["K"]).errors) == [(0, "unit-changed")]
    assert stream.send(("a", "t", T3, 1.0), units=[""]).accepted == 1
    assert stream.telemetry.channels.name(0).unit == "Cel"


def test_a_unit_that_is_declared_counts_before_the_first_reading(stream: Stream) -> None:
    stream.telemetry.declare([Declaration("works", "a", "p", unit="bar"), Declaration("works", "b", "p", unit="bar")])
    receipt = stream.send(
        ("a", "p", T1, 1.0), ("a", "p", T2, 1.0), ("a", "q", T2, 1.0), units=["[psi]", "bar", "[psi]"]
    )
    assert codes(receipt.errors) == [(0, "unit-changed")]
    assert "'bar'" in receipt.errors[0].detail
    assert "'[psi]'" in receipt.errors[0].detail
    stream.crash()
    assert codes(stream.send(("a", "p", T3, 1.0), units=["[psi]"]).errors) == [(0, "unit-changed")]
    assert codes(stream.send(("b", "p", T3, 1.0), units=["[psi]"]).errors) == [(0, "unit-changed")]
    assert stream.send(("b", "p", T3, 1.0)).accepted == 1
    assert [stream.telemetry.channels.name(key).unit for key in range(3)] == ["bar", "[psi]", "bar"]


def test_a_declaration_corrects_the_unit_of_the_first_reading_for_good(stream: Stream) -> None:
    stream.send(("a", "p", T1, 1.0), units=["brr"])
    assert codes(stream.send(("a", "p", T2, 1.0), units=["bar"]).errors) == [(0, "unit-changed")]
    stream.telemetry.declare([Declaration("works", "a", None), Declaration("works", "a", "p", unit="bar")])
    assert stream.send(("a", "p", T2, 1.0), units=["bar"]).accepted == 1
    stream.telemetry.declare([Declaration("works", "a", "p", low=0.0)])  # says nothing of the unit
    restored = ChannelIndex.restored(stream.inbox.names(), 10, seed=1)
    assert restored.name(0).unit == "bar"
    stream.crash()
    assert codes(stream.send(("a", "p", T3, 1.0), units=["brr"]).errors) == [(0, "unit-changed")]
    assert stream.send(("a", "p", T3, 1.0), units=["bar"]).accepted == 1


def test_a_unit_that_is_declared_no_more_is_not_expected_of_a_channel_that_begins(stream: Stream) -> None:
    stream.telemetry.declare([Declaration("works", "a", "p", unit="bar")])
    stream.telemetry.declare([Declaration("works", "a", "p")])
    stream.restart()
    assert stream.send(("a", "p", T1, 1.0), units=["[psi]"]).accepted == 1
    stream.restart()
    assert stream.telemetry.channels.name(0).unit == "[psi]"


def test_new_channels_beyond_a_sites_quota_are_refused_and_known_ones_are_taken(stream: Stream) -> None:
    stream.send(*((f"d{i}", "t", T1, 1.0) for i in range(45)))
    receipt = stream.send(*((f"d{i}", "t", T2, 1.0) for i in range(40, 60)))
    assert (receipt.accepted, receipt.rejected) == (10, 10)
    assert {error.code for error in receipt.errors} == {"too-many-channels"}
    with pytest.raises(BackPressureError) as refused:
        stream.send(("d99", "t", T2, 1.0))
    assert (refused.value.full, refused.value.seconds) == (False, 60)
    assert stream.send(("other", "t", T1, 1.0), site="mill").accepted == 1
    stream.now += 61 * SECOND
    assert stream.send(("d99", "t", T2, 1.0)).accepted == 1


def test_the_shard_has_a_limit_of_channels_whoever_asks(stream: Stream) -> None:
    for site in range(4):
        stream.send(*((f"d{i}", "t", T1, 1.0) for i in range(50)), site=f"s{site}")
    with pytest.raises(BackPressureError, match="200"):
        stream.send(("one more", "t", T1, 1.0), site="s5")
    assert len(stream.telemetry.channels) == 200


def test_a_request_that_could_not_be_stored_is_refused_and_can_be_sent_again(stream: Stream) -> None:
    stream.inbox.failing = True
    with pytest.raises(BackPressureError) as refused:
        stream.send(("a", "t", T1, 1.0))
    assert refused.value.full
    stream.inbox.failing = False
    receipt = stream.send(("a", "t", T1, 1.0), ("a", "t", T1, 1.0))
    assert (receipt.accepted, receipt.duplicate) == (1, 1)
    stream.restart()
    assert stream.telemetry.channels.name(0).device == "a"


def test_a_commit_whose_answer_was_lost_is_neither_lost_nor_stored_twice(stream: Stream) -> None:
    stream.inbox.losing_answers = True
    assert stream.send(("a", "t", T1, 1.0)).accepted == 1
    stream.inbox.losing_answers = False
    assert stream.send(("a", "t", T1, 1.0)).duplicate == 1
    assert len(stream.rows()) == 1


def test_a_declaration_waits_until_it_is_known_whether_the_group_before_it_was_stored(stream: Stream) -> None:
    stream.inbox.failing = stream.inbox.dumb = True
    with pytest.raises(BackPressureError):
        stream.send(("a", "t", T1, 1.0))
    stream.inbox.dumb = False
    stream.inbox.failing = False
    stream.telemetry.declare([Declaration("works", "a", seconds=60.0)])
    assert stream.rows() == []
    assert stream.send(("a", "t", T1, 1.0)).accepted == 1
    assert len(stream.rows()) == 1


def test_a_disk_with_little_room_refuses_before_anything_is_taken(stream: Stream) -> None:
    stream.free = 1000
    with pytest.raises(BackPressureError) as refused:
        stream.send(("a", "t", T1, 1.0))
    assert refused.value.full
    assert stream.inbox.stored == []


def test_every_item_is_counted_once(stream: Stream) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        rows = [
            (
                f"d{rng.integers(70)}",
                "t",
                int(NOW + rng.integers(-5, 5) * 120 * SECOND),
                float(rng.choice([1.0, 2.0, np.nan])),
            )
            for _ in range(100)
        ]
        receipt = stream.send(*rows)
        assert receipt.accepted + receipt.duplicate + receipt.rejected == 100
        assert len(receipt.errors) == receipt.rejected
    stored = stream.rows()
    assert len({row[:3] for row in stored if not row[4]}) == sum(not row[4] for row in stored)
