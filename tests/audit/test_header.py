"""Headers of blocks: a real one, and what is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.audit.blocks import block_of
from zkgpu.audit.header import encode, randao_of
from zkgpu.errors import FormatError, UsageError
from zkgpu.transcript import keccak256

REAL = json.loads((Path(__file__).parents[1] / "data" / "audit" / "block_23535880.json").read_text())


def test_the_header_of_a_block_of_the_main_net_has_its_hash_and_its_randomness() -> None:
    header = encode(REAL)
    assert keccak256(header).hex() == REAL["hash"][2:]
    assert randao_of(header).hex() == REAL["mixHash"][2:]


@pytest.mark.parametrize("name", sorted(set(REAL) - {"size", "uncles", "transactions", "withdrawals"}))
def test_a_field_that_is_another_is_noticed(name: str) -> None:
    text = REAL[name]
    changed = {**REAL, name: text[:-1] + ("1" if text[-1] != "1" else "2")}
    with pytest.raises(FormatError, match="its hash is not that of its header"):
        encode(changed)


@pytest.mark.parametrize("name", ["mixHash", "hash", "number", "parentHash"])
def test_a_block_without_a_field_is_none(name: str) -> None:
    with pytest.raises(FormatError, match="not a block"):
        encode({key: value for key, value in REAL.items() if key != name})


def test_headers_that_are_cut_have_no_randomness() -> None:
    header = encode(block_of(9))
    place = header.index(randao_of(header))
    for size in (0, 5, 448, 449, place - 1, place, place + 31):
        with pytest.raises(UsageError, match="not the header of a block"):
            randao_of(header[:size])
    assert randao_of(header[: place + 32]) == randao_of(header)
