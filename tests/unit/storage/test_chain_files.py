"""A chain in a file: read, or refused by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from industrial_brain.domain.errors import ProfileError
from industrial_brain.domain.targeting import ChainLink
from industrial_brain.storage.files.chain import read_chain

KNOWN = ("C01", "C02", "C03")


def _read(folder: Path, text: str) -> list[ChainLink]:
    path = folder / "chain.csv"
    path.write_text(text, encoding="utf-8")
    return read_chain(path, KNOWN, source="survey", simulated=False)


def test_a_chain_is_read_with_what_each_line_says(tmp_path: Path) -> None:
    found = _read(tmp_path, "supplier,customer,weight,simulated\nC01,C02,2.5,true\nC02,C03,,\n")
    assert found == [ChainLink("C01", "C02", 2.5, "survey", simulated=True), ChainLink("C02", "C03", 1.0, "survey")]
    assert read_chain(tmp_path / "none.csv", KNOWN, source="s", simulated=False) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("C01,C09,1", "customer 'C09' does not exist"),
        ("C01,C01,1", "can't supply itself"),
        ("C01,C02,-1", "not a positive number"),
        ("C01,C02,inf", "not a positive number"),
        ("C01,C02,x", "not a positive number"),
        ("C01,,1", "customer is empty"),
        ("C02,C03,1\nC02,C03,2", "earlier line"),
    ],
)
def test_a_line_that_can_not_stand_is_refused_by_its_number(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(ProfileError, match=words):
        _read(tmp_path, f"supplier,customer,weight\n{line}\n")
