"""JSON files: one spelling for every value, and no file that wastes time or memory."""

import json
import time
from pathlib import Path

import pytest

from zkgpu.circuits.committed import PublicArray
from zkgpu.curves.bn254 import BN254, G1, Fq, Fr
from zkgpu.errors import FormatError, PointError, UsageError
from zkgpu.formats import strict_json
from zkgpu.formats.circuit_inputs import read_inputs
from zkgpu.formats.public_values import read_public
from zkgpu.formats.wtns import read_wtns
from zkgpu.groth16.json import proof_from_json, proof_to_json, read_proof, read_verifying_key, verifying_key_from_json
from zkgpu.groth16.keys import Proof

SAMPLES = Path(__file__).parent.parent / "data" / "samples" / "multiplier"
READERS = {"groth16_proof.json": read_proof, "groth16_public.json": read_public, "groth16_vk.json": read_verifying_key}


def load(name):
    return json.loads((SAMPLES / name).read_text())


@pytest.mark.parametrize("name", READERS)
def test_every_truncation_is_refused_in_one_line(tmp_path, name):
    text = (SAMPLES / name).read_text()
    for cut in range(0, len(text), max(1, len(text) // 200)):
        (tmp_path / name).write_text(text[:cut])
        with pytest.raises(FormatError) as error:
            READERS[name](tmp_path / name)
        assert str(error.value).startswith(f"{tmp_path / name}: ")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", READERS)
def test_every_digit_of_a_file_matters(tmp_path, name):
    text = (SAMPLES / name).read_text().split('"vk_alphabeta_12"')[0]
    rest = (SAMPLES / name).read_text()[len(text) :]
    good = READERS[name](SAMPLES / name)
    digits = [i for i, c in enumerate(text) if c.isdecimal()]
    for i in digits[:: max(1, len(digits) // 60)]:
        changed = text[:i] + str((int(text[i]) + 1) % 10) + text[i + 1 :] + rest
        (tmp_path / name).write_text(changed)
        try:
            assert READERS[name](tmp_path / name) != good
        except FormatError as error:
            assert "\n" not in str(error)  # noqa: PT017  both outcomes are right


WRONG_NUMBERS = [
    "0x21", "033", "00", "-0", "-1", "+1", " 1", "1 ", "1.0", "1e3", "", "1_000", "\u0661", "1\n", 33, 1.5, None, True,
    ["1"], {"length": 1}, str(Fr.modulus), str(2**256 - 1), "9" * 1_000_000,
]  # fmt: skip


@pytest.mark.parametrize("value", WRONG_NUMBERS, ids=lambda v: repr(v)[:20])
def test_only_canonical_decimal_strings_below_the_modulus_are_public_inputs(tmp_path, value):
    path = tmp_path / "public.json"
    path.write_text(json.dumps(["1", value]))
    with pytest.raises(FormatError) as error:
        read_public(path)
    assert "public input 1" in str(error.value) or value == 1.5
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("value", [None, {}, {"0": "1", "length": 1}, "1", 1], ids=repr)
def test_public_inputs_are_a_list_and_nothing_like_one(tmp_path, value):
    path = tmp_path / "public.json"
    path.write_text(json.dumps(value))
    with pytest.raises(FormatError, match="not a list"):
        read_public(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "a": 1}', "occurs twice"),
        ('{"a": {"b": 1, "b": 2}}', "occurs twice"),
        ("[NaN]", "not an integer"),
        ("[Infinity]", "not an integer"),
        ("[-Infinity]", "not an integer"),
        ("[1.5]", "not an integer"),
        ("[1e400]", "not an integer"),
        ("9" * 100, "100 digits"),
        ("9" * 1_000_000, "1,000,000 digits"),
        ("[" * 100_000, "nested"),
        ('{"a":' * 100_000, "nested"),
        ("[" * 33 + "]" * 33, "nested"),
        ("[1] x", "Extra data"),
        ("{'a': 1}", "not JSON"),
        ("[1,]", "not JSON"),
        ("", "empty"),
        ("\ufeff[]", "not JSON"),
    ],
    ids=lambda v: v[:16],
)
def test_lax_json_is_refused_quickly(tmp_path, text, message):
    path = tmp_path / "x.json"
    path.write_text(text)
    start = time.thread_time()
    with pytest.raises(FormatError, match=message) as error:
        strict_json.load(path)
    assert time.thread_time() - start < 1
    assert "\n" not in str(error.value)


LARGEST = strict_json.MAX_BYTES
LARGE = {
    "escaped quotes without an end": (lambda: '["' + '\\"' * ((LARGEST - 2) // 2), "Unterminated"),
    "an escape without an end": (lambda: '["' + '\\"' * ((LARGEST - 4) // 2) + "\\", "Unterminated"),
    "backslashes": (lambda: "\\" * LARGEST, "Expecting value"),
    "a key twice at the end": (
        lambda: "{" + ",".join(f'"{k}":1' for k in range(LARGEST // 20)) + ',"5":2}',
        'the key "5" occurs twice',
    ),
    "nesting": (lambda: "[" * LARGEST, "nested"),
    "a long shape": (lambda: json.dumps({"shape": [1] * (LARGEST // 3)}), None),
}


@pytest.mark.parametrize("text", LARGE)
def test_the_largest_files_are_read_or_refused_in_time(text):
    """Each step looks at a text once: what is quadratic takes hours here."""
    make, message = LARGE[text]
    large = make()
    began = time.process_time()
    if message is None:
        strict_json.parse(large)
    else:
        with pytest.raises(FormatError, match=message):
            strict_json.parse(large)
    assert time.process_time() - began < 60


def test_an_array_has_no_more_axes_than_arrays_can_have():
    began = time.process_time()
    with pytest.raises(UsageError, match="160,000 axes"):
        PublicArray("x", (2,) * 160_000, 0, 1)
    assert PublicArray("x", (1,) * 32, 0, 1).size == 1
    assert time.process_time() - began < 1


@pytest.mark.parametrize("depth", [31, 32, 33])
def test_depth_is_that_of_brackets_outside_of_strings(depth):
    text = "[" * depth + '"]]]\\"[[["' + "]" * depth
    if depth <= 32:
        strict_json.parse(text)
    else:
        with pytest.raises(FormatError, match="nested"):
            strict_json.parse(text)


def test_brackets_inside_strings_are_not_nesting():
    assert strict_json.parse(json.dumps({"a": '[[{"' * 100})) == {"a": '[[{"' * 100}


def test_bytes_that_are_not_text_are_refused(tmp_path):
    (tmp_path / "x.json").write_bytes(b'["\xff"]')
    with pytest.raises(FormatError, match="byte 2 is not UTF-8"):
        strict_json.load(tmp_path / "x.json")


def test_files_beyond_the_size_limit_are_refused_unread(tmp_path):
    path = tmp_path / "x.json"
    with open(path, "wb") as stream:
        stream.truncate(strict_json.MAX_BYTES + 1)
    with pytest.raises(FormatError, match="is this the right file"):
        read_public(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("protocol", "plonk", "protocol"),
        ("protocol", "Groth16", "protocol"),
        ("curve", "bls12381", "curve"),
        ("curve", None, "curve"),
        ("pi_a", ["1", "3", "1"], "pi_a"),
        ("pi_a", ["1", "2"], "list of 3"),
        ("pi_a", ["1", "2", "2"], "affine"),
        ("pi_a", ["0", "0", "1"], "pi_a"),
        ("pi_a", ["0", "0", "0"], "affine"),
        ("pi_a", ["1", "1", "0"], "affine"),
        ("pi_a", [str(1 + Fq.modulus), "2", "1"], r"pi_a\[0\]"),
        ("pi_a", ["1", "2", "01"], r"pi_a\[2\]"),
        ("pi_b", [["0", "0"], ["0", "0"]], "list of 3"),
        ("pi_b", [["1"], ["0", "0"], ["1", "0"]], "list of 2"),
        ("pi_b", [["1", "0"], ["1", "0"], ["1", "0"]], "pi_b"),
        ("pi_b", [["0", "0"], ["0", "0"], ["1", "0"]], "pi_b"),
        ("pi_c", {"0": "1", "1": "2", "2": "1"}, "pi_c"),
    ],
)
def test_altered_proofs_are_refused(key, value, message):
    with pytest.raises(FormatError, match=message):
        proof_from_json({**load("groth16_proof.json"), key: value})


@pytest.mark.parametrize("key", ["pi_a", "pi_b", "pi_c", "protocol"])
def test_a_proof_without_one_of_its_keys_is_refused(key):
    value = load("groth16_proof.json")
    del value[key]
    with pytest.raises(FormatError, match=key):
        proof_from_json(value)


def test_a_point_of_the_twist_outside_the_subgroup_is_refused_with_that_reason():
    field, b = BN254.g2.field, BN254.g2.b
    candidates = ((i, 0) for i in range(1, 99))
    x, y = next((x, y) for x in candidates if (y := field.sqrt(field.add(field.mul(field.square(x), x), b))))
    value = {**load("groth16_proof.json"), "pi_b": [[str(c) for c in v] for v in (x, y, (1, 0))]}
    with pytest.raises(PointError, match=r"pi_b.*subgroup"):
        proof_from_json(value)


def test_infinity_is_written_and_read_as_0_1_0():
    proof = proof_from_json(load("groth16_proof.json"))
    infinite = Proof(G1.infinity, BN254.g2.infinity, proof.c)
    value = proof_to_json(infinite)
    assert value["pi_a"] == ["0", "1", "0"]
    assert value["pi_b"] == [["0", "0"], ["1", "0"], ["0", "0"]]
    assert proof_from_json(value) == infinite


@pytest.mark.parametrize(
    "change",
    [
        lambda vk: vk.update(nPublic=4),
        lambda vk: vk.update(nPublic="3"),
        lambda vk: vk.update(nPublic=True),
        lambda vk: vk.update(nPublic=-1, IC=[]),
        lambda vk: vk["IC"].pop(),
        lambda vk: vk["IC"].append(["1", "2", "1"]),
        lambda vk: vk.update(IC=None),
        lambda vk: vk["IC"].__setitem__(1, ["1", "3", "1"]),
        lambda vk: vk.update(vk_alpha_1=vk["vk_beta_2"]),
        lambda vk: vk.pop("vk_gamma_2"),
    ],
)
def test_altered_verifying_keys_are_refused(change):
    value = load("groth16_vk.json")
    change(value)
    with pytest.raises(FormatError):
        verifying_key_from_json(value)


def test_unknown_keys_are_ignored_as_snarkjs_does():
    value = load("groth16_proof.json")
    assert proof_from_json({**value, "note": "mine"}) == proof_from_json(value)


def test_inputs_keep_any_integer_and_nesting(tmp_path):
    (tmp_path / "input.json").write_text('{"a": -3, "b": ["0x10", [7]], "c": {"d": "12"}}')
    assert read_inputs(tmp_path / "input.json") == {"a": -3, "b": ["0x10", [7]], "c": {"d": "12"}}
    (tmp_path / "input.json").write_text("[1]")
    with pytest.raises(FormatError, match="named inputs"):
        read_inputs(tmp_path / "input.json")


def test_a_missing_file_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_proof(tmp_path / "none.json")


WRONG_INPUTS = [
    ('{"a": [1, "five"]}', """input 'a'[1]: "five" is not an integer"""),
    ('{"a": [[1, 2], [3, null]]}', "input 'a'[1][1]: null is not an integer"),
    ('{"a": true}', "input 'a': true is not an integer"),
    ('{"a": ""}', """input 'a': "" is not an integer"""),
    ('{"a": 1.5}', "input 'a': a number with a fraction or an exponent is not an integer"),
    ('{"a": [0, 1e3]}', "input 'a'[1]: a number with a fraction or an exponent is not an integer"),
    ('{"a": NaN}', "input 'a': NaN is not an integer"),
    ('{"a": "12345678 "}', "input 'a': a string of 9 characters is not an integer"),
    ('{"a": "deadbeef"}', "input 'a': a string of 8 characters is not an integer"),
    ('{"a": "0x"}', "input 'a': a string of 2 characters is not an integer"),
    (f'{{"a": {"9" * 200}}}', "input 'a': a number of 200 digits is not an integer"),
    ('{"bus": [{"x": 1}, {"x": [2, "six"]}]}', """input 'bus[1].x'[1]: "six" is not an integer"""),
    (f'{{"a": [{Fr.modulus}]}}', "input 'a'[0]: the value is not between -r and r"),
    (f'{{"a": ["-{Fr.modulus}"]}}', "input 'a'[0]: the value is not between -r and r"),
]


@pytest.mark.parametrize(("text", "message"), WRONG_INPUTS, ids=[m for _, m in WRONG_INPUTS])
def test_a_bad_value_of_an_input_file_is_named_by_file_input_and_index(tmp_path, samples, command, text, message):
    path = tmp_path / "in.json"
    path.write_text(text)
    with pytest.raises(FormatError) as error:
        read_inputs(path, Fr)
    assert str(error.value).startswith(f"{path}: {message}")
    wasm = samples / "multiplier" / "multiplier.wasm"
    assert f"{path}: {message}" in command("witness", wasm, path, "-o", tmp_path / "w").error(3)


def test_an_object_is_no_value_of_a_python_circuit(tmp_path):
    (tmp_path / "in.json").write_text('{"a": [{"x": 1}]}')
    with pytest.raises(FormatError, match=r"input 'a'\[0\]: an object is not an integer"):
        read_inputs(tmp_path / "in.json", Fr, buses=False)


def test_integers_beyond_2_to_the_53_are_exact(tmp_path, samples, command):
    big = 2**53 + 1
    (tmp_path / "in.json").write_text(f'{{"a": {big}, "b": {-(2**200) - 1}, "k": "{2**100 + 1}"}}')
    wasm = samples / "multiplier" / "multiplier.wasm"
    assert command("witness", wasm, tmp_path / "in.json", "-o", tmp_path / "w").code == 0
    values = Fr.from_limbs(read_wtns(tmp_path / "w"))
    assert {big, -(2**200) - 1 + Fr.modulus, 2**100 + 1} < set(values)


@pytest.mark.parametrize(
    "text", [r'"\ud800"', r'["a\uDFFFb"]', r'{"\udbff\u0041": 1}', r'"\ud83d\\ude00"', r'"\ude00\ud83d"']
)
def test_half_a_character_is_refused(text):
    with pytest.raises(FormatError, match="half a character"):
        strict_json.parse(text)


@pytest.mark.parametrize("text", [r'"\ud83d\ude00"', r'"\\ud800"', r'"\u00e9\ud7ff\ue000"', '"\U0001f600"'])
def test_whole_characters_are_read(text):
    assert strict_json.parse(text) == json.loads(text)
