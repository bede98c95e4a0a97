"""Object code made into images: what they may hold, who runs them, and that LLVM's own loader agrees."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest

from zkgpu.curves.bn254 import Fr
from zkgpu.fields.kernels import multiply_by_progression
from zkgpu.jit import cache, loading, target
from zkgpu.jit.isa import PORTABLE
from zkgpu.jit.kernel import kernel, on_stack
from zkgpu.jit.linking import LinkError, link
from zkgpu.jit.signature import INTEGER, KNOWN, ArrayKind, kind_of, take

ROOT = Path(__file__).parents[2]
X86 = next(level for level in target.LINUX if level.name == "x86-64")
ARM = next(level for level in target.LINUX if level.name == "aarch64")
WORDS = ArrayKind("<u8", 1, True, True)
linux_x86 = pytest.mark.skipif(X86 not in target.host_targets(), reason="images of x86-64 run there alone")


def assembled(text, level=X86):
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(level.triple).create_target_machine(reloc="pic", codemodel="default", opt=2)
    module = llvm.parse_assembly(f'target triple = "{level.triple}"\n{text}')
    return machine.emit_object(module)


@kernel
def fill(byte):
    """fill(out, begin): out[begin:] = byte, which LLVM does by a call of memset; then a table of constants is read."""
    table = np.arange(100, 164, dtype=np.uint64)

    def run(out, begin):
        view = out[begin:]
        view[:] = 0
        for i in range(len(view)):
            view[i] = table[(i * 7 + byte) & 63]

    return run


def expected(n, byte):
    return [100 + (i * 7 + byte & 63) for i in range(n)]


@linux_x86
@pytest.mark.parametrize("level", target.host_targets(), ids=lambda level: level.name)
def test_every_level_that_the_cpu_has_gives_the_same_numbers(level):
    for code in (fill(3).compiled((WORDS, INTEGER), level), fill(9).compiled((WORDS, INTEGER), level)):
        assert link(code, fill(3).__name__ if fill(3).__name__.encode() in code else fill(9).__name__).code
    out = np.ones(50, np.uint64)
    entry = cache.loaded(cache.packed(fill(3).compiled((WORDS, INTEGER), level), fill(3).__name__, level))
    words = []
    take(out, words)
    assert entry(struct.pack("3q", KNOWN, *words, 2)) == 0
    assert out.tolist() == [1, 1, *expected(48, 3)]


def test_llvms_own_loader_gives_the_same(monkeypatch):
    here = target._this_machine()
    name, outs = fill(5).__name__, [np.ones(50, np.uint64) for _ in range(2)]
    payload = cache.packed(fill(5).compiled((WORDS, INTEGER), here), name, here)
    assert b"imports" not in payload.partition(b"\n")[0]
    words = []
    take(outs[0], words)
    assert cache.loaded(payload)(struct.pack("3q", KNOWN, *words, 2)) == 0
    fill(5)(outs[1], 2)
    assert outs[0].tolist() == outs[1].tolist() == [1, 1, *expected(48, 5)]


def test_an_image_for_another_machine_is_linked():
    code = multiply_by_progression(PORTABLE, Fr.modulus).compiled(
        (*[ArrayKind("<u8", n, True, True) for n in (3, 3, 2, 2)], INTEGER, INTEGER), ARM
    )
    image = link(code, multiply_by_progression(PORTABLE, Fr.modulus).__name__)
    assert len(image.code) > 400
    assert image.imports == ()


@pytest.mark.parametrize("level", [X86, ARM], ids=lambda level: level.name)
def test_what_an_image_cannot_hold_is_refused_by_name(level):
    call = "declare void @system(ptr)\ndefine void @f(ptr %p) {\n call void @system(ptr %p)\n ret void\n}"
    with pytest.raises(LinkError, match="system"):
        link(assembled(call, level), "f")
    state = "@state = internal global i64 5\ndefine void @f() {\n store volatile i64 1, ptr @state\n ret void\n}"
    with pytest.raises(LinkError, match="written to"):
        link(assembled(state, level), "f")
    with pytest.raises(LinkError, match="no function g"):
        link(assembled("define void @f() {\n ret void\n}", level), "g")
    with pytest.raises(LinkError, match="ELF"):
        link(b"MZ" + bytes(100), "f")


@linux_x86
def test_a_call_of_the_c_library_goes_through_a_slot():
    text = """declare ptr @memset(ptr, i32, i64)
define i32 @f(ptr %words) {
  %at = load ptr, ptr %words
  %done = call ptr @memset(ptr %at, i32 7, i64 24)
  ret i32 0
}"""
    image = link(assembled(text), "f")
    assert [name for _, name in image.imports] == ["memset"]
    out = np.zeros(4, np.uint64)
    assert loading.load_image(image)(struct.pack("q", out.ctypes.data)) == 0
    assert out.tobytes() == b"\7" * 24 + bytes(8)


def test_code_for_a_cpu_that_has_more_is_never_called(monkeypatch):
    best = target.host_targets()[0]
    payload = cache.packed(fill(1).compiled((WORDS, INTEGER), best), fill(1).__name__, best)
    monkeypatch.setattr(cache, "is_runnable", lambda features: False)
    monkeypatch.setattr(cache, "load_image", lambda image: pytest.fail("it was loaded"))
    with pytest.raises(ValueError, match="more instructions"):
        cache.loaded(payload)


PROGRAM = """
import numpy as np
from tests.jit.test_images import fill
from zkgpu.jit.target import host_targets
out = np.zeros(3, np.uint64)
fill(1)(out, 0)
print(host_targets()[0].name)
"""


def test_a_cache_of_a_better_cpu_is_not_used_by_a_lesser_one(tmp_path):
    def outcome(**more):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "ZKGPU_CACHE_DIR": str(tmp_path / "cache"), **more}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip(), len(list((tmp_path / "cache").rglob("*.code")))

    level, entries = outcome()
    assert (level, entries) == (target.host_targets()[0].name, 1)
    other, entries = outcome(NUMBA_CPU_FEATURES="+sse2")
    assert (other == level, entries) in [(True, 1), (False, 2)]


def test_kinds_are_told_apart_and_what_no_kernel_takes_is_refused():
    a = np.zeros((4, 6), np.uint64)
    read_only = a.copy()
    read_only.flags.writeable = False
    different = [a, a[:, ::2], a[0], a.view(np.int64), a.astype(np.int16), read_only, (a, a), 5]
    keys = [take(argument, []) for argument in different]
    assert len({kind_of(key) for key in keys}) == len(set(keys)) == len(different)
    assert kind_of(take(a[1:], [])) == kind_of(take(a, []))
    assert take(np.int64(5), []) == take(5, [])
    for refused in (5.0, True, np.uint64(5), "5", [a], None):
        with pytest.raises(TypeError):
            take(refused, [])
    unaligned = np.zeros(17, np.uint8)[1:].view(np.uint64)
    for refused in (np.zeros(3), np.zeros(3, object), unaligned):
        with pytest.raises(TypeError, match="aligned integers"):
            kind_of(take(refused, []))


@kernel
def pairs_on_stack():
    first, second = on_stack((2, 3), np.int64), on_stack((2,), np.int64)

    def run(out):
        a, b = first(), second()
        for i in range(2):
            b[i] = 1000 * (i + 1)
            for j in range(3):
                a[i, j] = 10 * i + j
        for i in range(2):
            for j in range(3):
                out[i, j] = a[i, j] + b[i]

    return run


def test_arrays_on_the_stack_are_different_ones():
    out = np.zeros((2, 3), np.int64)
    pairs_on_stack()(out)
    assert out.tolist() == [[1000, 1001, 1002], [2010, 2011, 2012]]


def test_arrays_out_of_order_are_read_by_their_strides():
    out = np.zeros((3, 2), np.int64).T
    pairs_on_stack()(out)
    assert out.tolist() == [[1000, 1001, 1002], [2010, 2011, 2012]]


def test_each_kind_gets_the_code_compiled_for_it():
    """The calls after the first look at the kinds in the kernel: whatever differs goes the long way."""
    for _ in range(2):
        whole, strided = np.zeros((2, 3), np.int64), np.zeros((3, 2), np.int64).T
        swapped, longer = np.zeros((4, 3), np.int64)[::2], np.zeros((2, 3), np.longlong)
        small, unsigned = np.zeros((2, 3), np.int32), np.zeros((2, 3), np.uint64)
        for out in (whole, whole, strided, strided, whole, swapped, longer, longer, small, unsigned, whole):
            out[:] = 0
            pairs_on_stack()(out)
            assert out.tolist() == [[1000, 1001, 1002], [2010, 2011, 2012]]
    pairs_on_stack()(whole)
    for refused in (whole.astype(">i8"), whole.astype(float), whole.astype(object)):
        before = refused.copy()
        with pytest.raises(TypeError, match="aligned integers"):
            pairs_on_stack()(refused)
        assert (refused == before).all()
    with pytest.raises(TypeError, match="kernels take"):
        pairs_on_stack()([whole])


@kernel
def divided():
    def run(out, step):
        for i in range(0, len(out), step):
            out[i] = i

    return run


def test_a_kernel_that_fails_says_so():
    with pytest.raises(AssertionError, match="divided"):
        divided()(np.zeros(3, np.int64), 0)


def test_integers_that_are_no_words_are_refused():
    with pytest.raises(struct.error):
        divided()(np.zeros(3, np.int64), 1 << 64)


def test_addresses_of_an_arm_image_lead_to_its_constants():
    image = link(fill(7).compiled((WORDS, INTEGER), ARM), fill(7).__name__)
    table = image.code.index(struct.pack("<4Q", 100, 101, 102, 103))
    words = struct.unpack(f"<{len(image.code) // 4}I", image.code[: len(image.code) // 4 * 4])
    led = set()
    for k, word in enumerate(words):
        if word & 0x9F000000 != 0x90000000:  # adrp
            continue
        pages = (word >> 29 & 3) | (word >> 5 & 0x7FFFF) << 2
        following = (w for w in words[k + 1 : k + 9] if w & 0xFFC00000 == 0x91000000 and w >> 5 & 31 == word & 31)
        for add in following:  # add, of the same register
            led.add((4 * k & ~0xFFF) + (pages << 12) + (add >> 10 & 0xFFF))
    assert table in led
