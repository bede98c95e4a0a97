"""Phase 1 made by zkgpu: each step gives snarkjs' bytes where nothing is drawn, and what is drawn verifies."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zkgpu import open_backend, stages
from zkgpu.ceremony import chain, draws, preparing
from zkgpu.ceremony.phase_one import contribute_powers, write_new_powers
from zkgpu.ceremony.powers import verify_file
from zkgpu.ceremony.preparing import prepare_powers
from zkgpu.ceremony.ptau import contributions_bytes, read_ptau
from zkgpu.curves.bn254 import BN254, G1
from zkgpu.errors import PointError, SelfCheckError, UsageError

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
BACKEND = open_backend("cpu")
BEACON = (bytes(range(1, 32)), 10)


def test_a_new_file_is_that_of_snarkjs(tmp_path):
    write_new_powers(tmp_path / "new", BN254, 6)
    assert (tmp_path / "new").read_bytes() == (SAMPLES / "pot6_0.ptau").read_bytes()


def test_a_beacon_gives_the_points_proofs_and_hashes_of_snarkjs(tmp_path):
    before, theirs = read_ptau(SAMPLES / "pot6_1.ptau"), read_ptau(SAMPLES / "pot6_b.ptau")
    last = theirs.contributions[-1]
    made = contribute_powers(before, tmp_path / "b", BACKEND, name=last.name, beacon=last.beacon)
    assert replace(made, partial_hash=last.partial_hash) == last
    assert made.response_hash() == last.response_hash()
    ours = read_ptau(tmp_path / "b")
    for mine, other in zip(ours.points(), theirs.points(), strict=True):
        assert np.array_equal(mine[3], other[3]), mine[1]


def test_contributions_verify_with_all_their_powers_and_hashes(small):
    verify_file(small, BACKEND)
    assert [c.name for c in small.contributions] == ["one", "two"]
    assert small.state.tau_g1 != G1.generator


def test_no_two_contributions_are_the_same_and_none_is_shown(small_folder, tmp_path):
    ptau = read_ptau(small_folder / "new")
    first, second = (contribute_powers(ptau, tmp_path / name, BACKEND, entropy=b"the same") for name in "ab")
    assert first.tau_g1 != second.tau_g1
    assert not set(first.keys) & set(second.keys)
    drawn = chain.Draws(5, 6, 7, ())
    assert "5" not in repr(drawn)


def test_entropy_and_the_system_both_decide_what_is_drawn(monkeypatch):
    monkeypatch.setattr(draws, "random_bytes", lambda size: bytes(size))
    field = BN254.scalar_field
    assert draws.secret_of_system(field, b"a") == draws.secret_of_system(field, b"a")
    assert draws.secret_of_system(field, b"a") != draws.secret_of_system(field, b"b")
    monkeypatch.undo()
    assert draws.secret_of_system(field, b"a") != draws.secret_of_system(field, b"a")


def test_nothing_stays_of_a_contribution_that_is_interrupted(tmp_path):
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), stages.measuring(interrupt):
        contribute_powers(read_ptau(SAMPLES / "pot6_1.ptau"), tmp_path / "out", BACKEND)
    assert os.listdir(tmp_path) == []


def test_no_secret_touches_a_point_off_its_curve(tmp_path):
    """A point of another curve has a small order, which would give the secret away, part by part."""
    ptau = read_ptau(SAMPLES / "pot6_1.ptau")
    rows = np.array(ptau.tau_g1)
    rows[9, 0] ^= np.uint64(1)
    with pytest.raises(PointError, match=r"powers of tau in G1: point 9: .*do not contribute"):
        contribute_powers(replace(ptau, tau_g1=rows), tmp_path / "out", BACKEND)
    assert os.listdir(tmp_path) == []


def test_contributions_to_a_part_of_the_powers_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"2\^3 of 2\^6 powers"):
        contribute_powers(read_ptau(SAMPLES / "pot6_final_03.ptau"), tmp_path / "out", BACKEND)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "n" * 65}, "at most 64"),
        ({"name": "\x1b[2J"}, "printable"),
        ({"beacon": (b"", 10)}, "0 bytes"),
        ({"beacon": (bytes(256), 10)}, "256 bytes"),
        ({"beacon": (b"x", 9)}, r"2\^9"),
        ({"beacon": (b"x", 31)}, r"2\^31"),
    ],
)
def test_names_and_beacons_that_others_would_not_take_are_refused(tmp_path, given, message):
    with pytest.raises(UsageError, match=message):
        contribute_powers(read_ptau(SAMPLES / "pot6_1.ptau"), tmp_path / "out", BACKEND, **given)


def test_a_prepared_file_is_that_of_snarkjs(tmp_path):
    prepare_powers(read_ptau(SAMPLES / "pot6_b.ptau"), tmp_path / "final", BACKEND)
    assert (tmp_path / "final").read_bytes() == (SAMPLES / "pot6_final.ptau").read_bytes()
    assert os.listdir(tmp_path) == ["final"]


def test_powers_that_are_all_equal_can_be_prepared(small_folder, tmp_path):
    """Sums of a point with itself and its opposite: L_0 of tau = 1 is the generator, all others are infinity."""
    prepare_powers(read_ptau(small_folder / "new"), tmp_path / "final", BACKEND)
    block = read_ptau(tmp_path / "final").lagrange_tau_g1(3)
    assert G1.from_rows(block[:1]) == [G1.generator]
    assert not block[1:].any()


@pytest.fixture
def interrupted(small_folder, tmp_path, monkeypatch):
    """A preparation stopped at its fifth block that is kept; (the powers, the output, the folder of blocks)."""
    monkeypatch.setattr(preparing, "KEPT_FROM", 1)
    powers, output = read_ptau(small_folder / "two"), tmp_path / "final"
    save, saved = preparing._Kept.save, []

    def save_four(kept, section, p, block):
        if len(saved) == 4:
            raise KeyboardInterrupt
        saved.append((section, p))
        save(kept, section, p, block)

    monkeypatch.setattr(preparing._Kept, "save", save_four)
    with pytest.raises(KeyboardInterrupt):
        prepare_powers(powers, output, BACKEND)
    monkeypatch.setattr(preparing._Kept, "save", save)
    assert saved == [(12, 1), (12, 2), (12, 3), (12, 4)]
    return powers, output, tmp_path / "final.blocks"


def made_blocks(monkeypatch):
    """The list of (section, size) that are made from now on."""
    made, make = [], preparing._made
    monkeypatch.setattr(
        preparing, "_made", lambda section, p, *rest: made.append((section, p)) or make(section, p, *rest)
    )
    return made


def test_an_interrupted_preparation_goes_on_where_it_stopped(interrupted, small_folder, monkeypatch):
    powers, output, blocks = interrupted
    assert not output.exists()
    assert len(list(blocks.iterdir())) == 4
    made = made_blocks(monkeypatch)
    prepare_powers(powers, output, BACKEND)
    assert [p for section, p in made if section == 12] == [0]
    assert [p for section, p in made if section == 13] == [0, 1, 2, 3]
    assert output.read_bytes() == (small_folder / "ready").read_bytes()
    assert not blocks.exists()


def test_a_kept_block_that_is_wrong_is_made_again(interrupted, small_folder, monkeypatch):
    powers, output, blocks = interrupted
    (place,) = blocks.glob("*-12-3.points")
    data = place.read_bytes()
    place.write_bytes(data[64:] + data[:64])
    made = made_blocks(monkeypatch)
    prepare_powers(powers, output, BACKEND)
    assert [p for section, p in made if section == 12] == [0, 3]
    assert output.read_bytes() == (small_folder / "ready").read_bytes()


def test_blocks_of_other_powers_are_not_taken(interrupted, small_folder, monkeypatch):
    _, output, blocks = interrupted
    made = made_blocks(monkeypatch)
    prepare_powers(read_ptau(small_folder / "one"), output, BACKEND)
    assert [p for section, p in made if section == 12] == [0, 1, 2, 3, 4]
    assert not blocks.exists()


def test_blocks_that_a_device_makes_wrong_are_not_written(small, tmp_path, monkeypatch):
    block = preparing.LagrangeBases.block
    monkeypatch.setattr(preparing.LagrangeBases, "block", lambda bases, p: block(bases, p)[::-1])
    with pytest.raises(SelfCheckError, match="made wrong by cpu"):
        prepare_powers(small, tmp_path / "final", BACKEND)
    assert os.listdir(tmp_path) == []


def test_contributions_are_written_back_byte_for_byte():
    data = (SAMPLES / "pot6_b.ptau").read_bytes()
    assert data.endswith(contributions_bytes(read_ptau(SAMPLES / "pot6_b.ptau").contributions))
