"""Phase 2: contributions of snarkjs verify, ours verify, and altered ones do not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zkgpu.backend import open_backend
from zkgpu.backend.reference import ReferenceBackend
from zkgpu.ceremony.challenge import Stream, blake2b, encode, encode_rows, hash_to_g2
from zkgpu.ceremony.ptau import read_ptau
from zkgpu.curves.bn254 import BN254, G1, G2, Fq, Fr
from zkgpu.errors import FormatError, InsecureKeyError, ZkgpuError
from zkgpu.formats.r1cs import read_r1cs
from zkgpu.groth16 import ceremony
from zkgpu.groth16.setup import contribute, setup
from zkgpu.groth16.zkey import read_zkey, write_zkey

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
MULTIPLIER = SAMPLES / "multiplier"
BACKEND = ReferenceBackend(BN254)


@pytest.fixture(scope="module")
def initial():
    return read_zkey(MULTIPLIER / "m_0.zkey")


@pytest.fixture(scope="module")
def sample():
    return read_zkey(MULTIPLIER / "multiplier_beacon.zkey")


@pytest.fixture(scope="module")
def ours():
    return setup(
        read_r1cs(MULTIPLIER / "multiplier.r1cs"), read_ptau(SAMPLES / "pot6_final.ptau"), BACKEND, name="ours"
    )


def test_the_stream_is_chacha20():
    # RFC 8439, appendix A.1, test vector 1: the first bytes are 76 b8 e0 ad a0 f1 3d 90
    stream = Stream.seeded(bytes(64))
    assert stream.u32() == 0xADE0B876
    assert Stream.seeded(bytes(64)).u64() == 0xADE0B876_903DF1A0


def test_points_hash_to_the_subgroup_and_never_to_the_same_point():
    points = [hash_to_g2(BN254, blake2b(bytes((i,)))) for i in range(4)]
    assert all(p.is_on_curve() and p.is_in_subgroup() and not p.is_infinity for p in points)
    assert len({str(p) for p in points}) == 4


def test_points_are_hashed_big_endian_with_the_imaginary_part_first():
    g2 = G2.generator
    words = [int.from_bytes(encode(g2)[i : i + 32], "big") for i in range(0, 128, 32)]
    assert words == [g2.x[1], g2.x[0], g2.y[1], g2.y[0]]
    assert encode(G1.generator, G1.infinity) == bytes(31) + b"\x01" + bytes(31) + b"\x02" + bytes(64)
    points = [G2.generator, G2.infinity, 5 * G2.generator]
    assert encode_rows(G2, G2.to_rows(points), open_backend("reference")) == encode(*points)
    assert Fq.modulus > words[0]


def test_contributions_of_snarkjs_verify_one_of_them_a_beacon(sample, initial):
    assert [(c.name, c.kind) for c in sample.contributions] == [("sample", 0), ("final beacon", 1)]
    assert sample.contributions[1].beacon == (bytes(range(1, 32)), 10)
    ceremony.verify_key(sample, initial, BACKEND)


def test_contribution_hashes_are_those_that_snarkjs_prints(sample):
    first, beacon = (ceremony.contribution_hash(c).hex() for c in sample.contributions)
    assert first.startswith("9eba3639b8eecb76f230ce4354bcd607")
    assert beacon.startswith("4042fd4915305c0e25bb43809b1c926f")


def test_a_key_with_a_beacon_is_written_back_byte_for_byte(sample, tmp_path):
    write_zkey(tmp_path / "copy", sample)
    assert (tmp_path / "copy").read_bytes() == (MULTIPLIER / "multiplier_beacon.zkey").read_bytes()


def test_the_circuit_hash_is_the_one_snarkjs_computed(ours, initial):
    assert ours.circuit_hash == initial.circuit_hash


def test_setup_starts_from_the_key_snarkjs_starts_from(ours, initial):
    ceremony.verify_key(ours, initial, BACKEND)
    for name in ("a_query", "b_g1_query", "b_g2_query"):
        assert np.array_equal(getattr(ours, name), getattr(initial, name))


def test_contributions_can_follow_those_of_snarkjs_and_survive_a_file(sample, initial, tmp_path):
    key = contribute(sample, BACKEND, name="third")
    write_zkey(tmp_path / "key", key)
    again = read_zkey(tmp_path / "key")
    ceremony.verify_key(again, initial, BACKEND)
    assert [c.name for c in again.contributions] == ["sample", "final beacon", "third"]


def test_two_setups_never_give_the_same_key(ours, initial):
    other = contribute(initial, BACKEND, name="ours")
    assert other.delta_g1 != ours.delta_g1
    assert other.contributions[0].g1_s != ours.contributions[0].g1_s


def test_a_key_nobody_contributed_to_is_insecure(initial):
    with pytest.raises(InsecureKeyError):
        ceremony.verify_contributions(initial)


FLIP = bytes((1,)) + bytes(63)


def _flipped(data):
    return bytes(x ^ y for x, y in zip(data, FLIP, strict=True))


@pytest.mark.parametrize(
    "change",
    [
        lambda c: replace(c, delta_after=2 * c.delta_after),
        lambda c: replace(c, g1_s=2 * c.g1_s),
        lambda c: replace(c, g1_sx=2 * c.g1_sx),
        lambda c: replace(c, g1_s=2 * c.g1_s, g1_sx=2 * c.g1_sx),
        lambda c: replace(c, g2_spx=2 * c.g2_spx),
        lambda c: replace(c, transcript=_flipped(c.transcript)),
        lambda c: replace(c, delta_after=G1.infinity),
        lambda c: replace(c, g1_s=G1.infinity, g1_sx=G1.infinity),
        lambda c: replace(c, g2_spx=G2.infinity),
        lambda c: replace(c, beacon=(bytes(31), 10)),
        lambda c: replace(c, beacon=(bytes(range(1, 32)), 9)),
    ],
)
@pytest.mark.parametrize("which", [0, 1])
def test_an_altered_contribution_is_refused(sample, which, change):
    contributions = list(sample.contributions)
    contributions[which] = change(contributions[which])
    with pytest.raises(ZkgpuError, match=f"contribution {which + 1} "):
        ceremony.verify_contributions(replace(sample, contributions=tuple(contributions)))


def test_a_contribution_without_knowledge_of_its_secret_is_refused(initial):
    """Everything fits but g1_sx is no known multiple of g1_s, as it would be for someone who did not know k."""
    key = ceremony.record_contribution(initial, 5, name="honest")
    (honest,) = key.contributions
    transcript = blake2b(initial.circuit_hash, encode(honest.g1_s, 6 * honest.g1_s))
    forged = replace(
        honest, g1_sx=6 * honest.g1_s, transcript=transcript, g2_spx=5 * hash_to_g2(BN254, transcript), name="forged"
    )
    ceremony.verify_contributions(key)
    with pytest.raises(FormatError, match="knew the secret"):
        ceremony.verify_contributions(replace(key, contributions=(forged,)))


def test_contributions_out_of_order_or_left_out_are_refused(sample):
    first, second = sample.contributions
    for contributions in ((second, first), (first,), (second,), (first, second, second)):
        with pytest.raises(FormatError):
            ceremony.verify_contributions(replace(sample, contributions=contributions))


def test_another_circuit_hash_or_delta_is_refused(sample):
    vk = sample.verifying_key
    for changed in (
        replace(sample, circuit_hash=_flipped(sample.circuit_hash)),
        replace(sample, delta_g1=2 * sample.delta_g1),
        replace(sample, verifying_key=replace(vk, delta_g2=2 * vk.delta_g2)),
    ):
        with pytest.raises(FormatError):
            ceremony.verify_contributions(changed)


def _doubled(rows, group=G1):
    points = group.from_rows(rows)
    index = next(i for i, p in enumerate(points) if not p.is_infinity)
    points[index] = 2 * points[index]
    return group.to_rows(points)


@pytest.mark.parametrize(
    "change",
    [
        lambda k: replace(k, a_query=_doubled(k.a_query)),
        lambda k: replace(k, b_g1_query=_doubled(k.b_g1_query)),
        lambda k: replace(k, b_g2_query=_doubled(k.b_g2_query, G2)),
        lambda k: replace(k, l_query=_doubled(k.l_query)),
        lambda k: replace(k, h_query=_doubled(k.h_query)),
        lambda k: replace(k, l_query=k.l_query[:-1]),
        lambda k: replace(k, beta_g1=2 * k.beta_g1),
        lambda k: replace(k, a=k.b, b=k.a),
        lambda k: replace(k, a=replace(k.a, table=Fr.to_limbs(v + 1 for v in Fr.from_limbs(k.a.table)))),
        lambda k: replace(k, verifying_key=replace(k.verifying_key, ic=k.verifying_key.ic[::-1])),
        lambda k: replace(k, verifying_key=replace(k.verifying_key, alpha_g1=G1.generator)),
        lambda k: replace(k, verifying_key=replace(k.verifying_key, gamma_g2=k.verifying_key.beta_g2)),
    ],
)
def test_a_key_that_differs_from_its_circuits_is_refused(sample, initial, change):
    with pytest.raises(FormatError):
        ceremony.verify_key(change(sample), initial, BACKEND)
