"""Schedules that are kept on disk: the numbers of those made anew, and trusted as compiled kernels are."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.bls12_381 import BLS12_381
from zkgpu.curves import BN254, kept
from zkgpu.curves.ate import pairing_calls, pairing_machine
from zkgpu.curves.execution import Recipe, run_recipe, use_kernel
from zkgpu.curves.machine_cpu import bind, run
from zkgpu.jit import cache

G1, G2 = BN254.g1, BN254.g2
SLOTS = [1, *[0] * 11, *(G1.generator * 3).coordinates(), *(G2.generator * 5).coordinates(), 1, 0]


def made():
    return pairing_machine(G2), pairing_calls(G2, 1)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """The folder of this process's kernels, empty; schedules run on the kernel."""
    use_kernel()
    run(bind(*made()), SLOTS, 12)  # so that the kernel is there
    monkeypatch.setattr(cache, "folder_in_use", lambda: tmp_path)
    monkeypatch.setattr(cache, "shipped_folders", lambda: ())
    return tmp_path


@pytest.fixture
def refusing():
    def make():
        raise AssertionError("it was kept, and is made again")

    return make


def outcome(make):
    return run_recipe(Recipe("one pairing", G2.base_field, make), SLOTS, 12)


def test_what_was_kept_gives_the_same_numbers_and_is_not_made_again(folder, refusing):
    first = outcome(made)
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert outcome(refusing) == first == run(bind(*made()), SLOTS, 12)


@pytest.mark.parametrize("at", [0, 20, 50, 200, -1])
def test_a_damaged_file_is_made_again(folder, refusing, at):
    first = outcome(made)
    (file,) = folder.iterdir()
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)
    with pytest.raises(AssertionError, match="made again"):
        outcome(refusing)
    assert outcome(made) == first
    assert outcome(refusing) == first


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_file_that_others_may_write_is_made_again(folder, refusing):
    outcome(made)
    (file,) = folder.iterdir()
    file.chmod(0o620)
    with pytest.raises(AssertionError, match="made again"):
        outcome(refusing)


def test_one_that_stands_in_another_s_place_is_made_again(folder, refusing):
    outcome(made)
    (file,) = folder.iterdir()
    file.rename(folder / kept.file_of("another"))
    with pytest.raises(AssertionError, match="made again"):
        run_recipe(Recipe("another", G2.base_field, refusing), SLOTS, 12)


def test_those_of_two_curves_have_two_names():
    from zkgpu.curves.pairing import _pairings, _subgroup

    groups = (BN254.g2, BLS12_381.g2)
    names = {recipe.name for group in groups for recipe in (_subgroup(group), *(_pairings(group, n) for n in range(9)))}
    assert len(names) == 20
    assert not any(" at 0x" in str(name) for name in names)
    assert _pairings(BN254.g2, 9).name is None


def test_a_folder_that_cannot_be_written_costs_only_the_keeping(folder, monkeypatch):
    monkeypatch.setattr(cache, "folder_in_use", lambda: None)
    assert outcome(made) == run(bind(*made()), SLOTS, 12)
    assert not list(Path(folder).iterdir())


def test_a_release_has_its_own(folder, monkeypatch, refusing, tmp_path):
    first = outcome(made)
    release = tmp_path / "release"
    release.mkdir()
    for file in list(folder.glob("*.schedule")):
        file.rename(release / file.name)
    monkeypatch.setattr(cache, "shipped_folders", lambda: (release,))
    assert outcome(refusing) == first
    run_recipe(Recipe("another", G2.base_field, made), SLOTS, 12)
    assert not list(folder.glob("*.schedule"))
