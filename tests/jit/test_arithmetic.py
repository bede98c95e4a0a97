"""Generated arithmetic against Python integers, on all instruction sets and for both fields of BN254."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkgpu.curves.bn254 import Fq, Fr
from zkgpu.jit.element import Fe2, lin, select
from zkgpu.jit.isa import IFMA, ISAS, PORTABLE, supported
from zkgpu.jit.kernel import kernel, operation
from zkgpu.jit.memory import aligned_zeros

FIELDS = {"Fr": Fr.modulus, "Fq": Fq.modulus}

FORMULAS = {
    "x * y": lambda x, y: x * y,
    "x + y": lambda x, y: x + y,
    "x - y": lambda x, y: x - y,
    "-x": lambda x, y: -x,
    "x^2": lambda x, y: x.square() if hasattr(x, "square") else x * x,
    "9 x": lambda x, y: x.small(9) if hasattr(x, "small") else 9 * x,
    "deep sum of products": lambda x, y: ((x * y - y) * (x + y) - x * x) * ((x - y) * (x - y) + y),
    "three terms": lambda x, y: x + y + x,
    "two sums": lambda x, y: (x + y + x + y + x) * (x - y - y - y),
}


@pytest.fixture(params=ISAS, ids=str)
def isa(request):
    if ISAS[request.param] not in supported():
        pytest.skip(f"this CPU has no {request.param} instruction set")
    return ISAS[request.param]


@pytest.fixture(params=FIELDS)
def modulus(request):
    return FIELDS[request.param]


def limbs_of(isa, modulus, value):
    mask = (1 << isa.limb_bits) - 1
    return [(value >> (isa.limb_bits * j)) & mask for j in range(isa.over(modulus).limbs)]


def pack(isa, modulus, values):
    """Values as given (no conversion) in the instruction set's blocks."""
    blocks = aligned_zeros(isa.over(modulus).shape(len(values)))
    for i, value in enumerate(values):
        blocks[i // isa.lanes, :, i % isa.lanes] = limbs_of(isa, modulus, value)
    return blocks


def unpack(isa, blocks, n):
    rows = blocks.transpose(0, 2, 1).reshape(-1, blocks.shape[1])[:n].tolist()
    return [sum(limb << (isa.limb_bits * j) for j, limb in enumerate(row)) for row in rows]


def edges(isa, modulus):
    """Residues in Montgomery form at which carries, borrows and reductions turn over."""
    powers = [1 << (isa.limb_bits * j) for j in range(1, isa.over(modulus).limbs)]
    near = [value + d for value in powers for d in (-1, 0, 1)]
    return [v for v in [0, 1, 2, modulus - 1, modulus - 2, modulus // 2, modulus // 2 + 1, *near] if v < modulus]


@kernel
def every_formula(isa, modulus):
    @operation(isa, modulus)
    def evaluate(e, out, x, y, offset, stride):
        a, b = e.load(x, offset), e.load(y, offset)
        for formula in FORMULAS.values():
            e.store(formula(a, b).canonical(), out, offset)
            offset = e.builder.add(offset, stride)

    words = isa.over(modulus).block_words

    def run(out, x, y, blocks):
        for k in range(blocks):
            evaluate(out, x, y, k * words, blocks * words)

    return run


def check_formulas(isa, modulus, xs, ys):
    r = isa.over(modulus).montgomery_factor
    r_inverse, x, y = pow(r, -1, modulus), pack(isa, modulus, xs), pack(isa, modulus, ys)
    out = np.zeros((len(FORMULAS), *x.shape), np.uint64)
    every_formula(isa, modulus)(out, x, y, len(x))
    for (name, formula), blocks in zip(FORMULAS.items(), out, strict=True):
        # the factor R comes from Montgomery form: a residue v stands for v / R
        expected = [
            formula(_Int(a * r_inverse), _Int(b * r_inverse)).value * r % modulus for a, b in zip(xs, ys, strict=True)
        ]
        assert unpack(isa, blocks, len(xs)) == expected, name


class _Int:
    """Python integers with the operations the formulas use."""

    def __init__(self, value):
        self.value = value

    def __add__(self, other):
        return _Int(self.value + other.value)

    def __sub__(self, other):
        return _Int(self.value - other.value)

    def __mul__(self, other):
        return _Int(self.value * other.value)

    def __rmul__(self, factor):
        return _Int(factor * self.value)

    def __neg__(self):
        return _Int(-self.value)


def test_formulas_agree_with_integers_at_every_pair_of_edges(isa, modulus):
    values = edges(isa, modulus)
    pairs = [(a, b) for a in values for b in values]
    check_formulas(isa, modulus, [a for a, _ in pairs], [b for _, b in pairs])


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_formulas_agree_with_integers_at_random_values(data):
    isa = data.draw(st.sampled_from(supported()))
    modulus = data.draw(st.sampled_from(sorted(FIELDS.values())))
    element = st.one_of(st.integers(0, modulus - 1), st.sampled_from(edges(isa, modulus)))
    values = data.draw(st.lists(st.tuples(element, element), min_size=1, max_size=20))
    check_formulas(isa, modulus, [a for a, _ in values], [b for _, b in values])


@kernel
def reductions(isa, modulus, limit):
    @operation(isa, modulus)
    def reduce_block(e, weak, canonical, x, offset):
        value = e.load(x, offset, limit=limit)
        e.store(value.weak(), weak, offset)
        e.store(value.canonical(), canonical, offset)

    words = isa.over(modulus).block_words

    def run(weak, canonical, x, blocks):
        for k in range(blocks):
            reduce_block(weak, canonical, x, k * words)

    return run


def test_reductions_are_right_around_every_multiple_of_the_modulus(isa, modulus):
    limit = 1 << isa.over(modulus).montgomery_bits
    near = [k * modulus + d for k in range(limit // modulus + 1) for d in (-1, 0, 1)]
    values = [v for v in [*near, limit - 1] if 0 <= v < limit]
    x = pack(isa, modulus, values)
    weak, canonical = np.zeros_like(x), np.zeros_like(x)
    reductions(isa, modulus, limit)(weak, canonical, x, len(x))
    assert unpack(isa, canonical, len(values)) == [v % modulus for v in values]
    for value, reduced in zip(values, unpack(isa, weak, len(values)), strict=True):
        assert reduced % modulus == value % modulus
        assert reduced < modulus + (modulus >> 32)


@kernel
def reductions_of_columns(isa, modulus):
    @operation(isa, modulus)
    def reduce_block(e, weak, canonical, x, offset):
        value = e.load(x, offset, limit=1 << 260, spread=1 << 61)
        e.store(value.weak(), weak, offset)
        e.store(value.canonical(), canonical, offset)

    words = isa.over(modulus).block_words

    def run(weak, canonical, x, blocks):
        for k in range(blocks):
            reduce_block(weak, canonical, x, k * words)

    return run


def test_reductions_are_right_for_columns_that_owe_each_other(isa, modulus):
    if isa.lanes == 1:
        pytest.skip("this instruction set has no columns")
    near = [k * modulus + d for k in range((1 << 260) // modulus + 1) for d in (-1, 0, 1)]
    values = [v for v in [*near, 1 << 208, (1 << 208) - 1, (1 << 260) - 1] if 0 <= v < 1 << 260]
    x = pack(isa, modulus, values).view(np.int64)
    debts = np.random.default_rng(1).integers(-(1 << 8), 1 << 8, (len(x), 4, 8))
    debts[::2] = [[[1 << 8], [-(1 << 8)], [1 << 8], [0]]]
    debts[1::4, 3] = np.abs(debts[1::4, 3])
    x[:, :4] += debts << 52
    x[:, 1:] -= debts
    weak, canonical = np.zeros_like(x), np.zeros_like(x)
    reductions_of_columns(isa, modulus)(weak, canonical, x, len(x))
    assert unpack(isa, canonical, len(values)) == [v % modulus for v in values]
    for value, reduced in zip(values, unpack(isa, weak, len(values)), strict=True):
        assert reduced % modulus == value % modulus
        assert reduced < modulus + (modulus >> 32)


@kernel
def through_words(isa, modulus):
    @operation(isa, modulus)
    def through(e, out, words, offset):
        e.to_words(e.from_words(words, offset, 1 << 256), out, offset)

    step = 4 * isa.lanes

    def run(out, words, blocks):
        for k in range(blocks):
            through(out, words, k * step)

    return run


def test_numbers_survive_the_way_to_limbs_and_back(isa):
    words = np.random.default_rng(1).integers(0, 2**64, (32, 4), np.uint64)
    words[:4] = [[0] * 4, [2**64 - 1] * 4, [1, 0, 0, 1 << 63], [1 << 63, 1, 2, 3]]
    out = np.zeros_like(words)
    through_words(isa, Fq.modulus)(out, words, len(words) // isa.lanes)
    assert (out == words).all()


@kernel
def reverse_rows(isa, modulus, parts):
    """Negates the last coordinate of point rows and writes the rows in reverse order; counts zero rows."""

    @operation(isa, modulus, returns="int64")
    def move(e, to, origin, k):
        at = e.builder.mul(k, e.integer(isa.lanes))
        row = e.load_rows(e.lane_integers(origin, at), parts)
        e.prefetch(e.lane_integers(origin, at)[0])
        point = (row[0], row[1]) if parts == 2 else (Fe2(row[0], row[1]), Fe2(row[2], row[3]))
        infinity = point[1].is_zero()
        y = select(infinity, point[1], -point[1]).canonical()
        last = [y] if parts == 2 else [y.c0, y.c1]
        e.store_rows(e.lane_integers(to, at), [*row[: parts // 2], *last])
        return e.mask_bits(infinity)

    def run(to, origin, blocks, masks):
        for k in range(blocks):
            masks[k] = move(to, origin, k)

    return run


@pytest.mark.parametrize("parts", [2, 4])
def test_point_rows_are_gathered_and_scattered_by_address(isa, parts):
    modulus, n = Fq.modulus, 16
    values = [[(i * i * 7**40 + j) % modulus if i % 5 else 0 for j in range(parts)] for i in range(n)]
    rows, out = aligned_zeros((n, 4 * parts)), aligned_zeros((n, 4 * parts))
    for i, row in enumerate(values):
        rows[i] = [(v >> (64 * j)) & (2**64 - 1) for v in row for j in range(4)]
    origin = rows.ctypes.data + np.arange(n, dtype=np.int64) * rows.strides[0]
    to = out.ctypes.data + np.arange(n, dtype=np.int64)[::-1] * out.strides[0]
    masks = np.zeros(n // isa.lanes, np.int64)
    reverse_rows(isa, modulus, parts)(np.ascontiguousarray(to), origin, len(masks), masks)
    for row, read in zip(values, out[::-1].tolist(), strict=True):
        got = [sum(word << (64 * j) for j, word in enumerate(read[4 * k : 4 * k + 4])) for k in range(parts)]
        half = parts // 2
        assert got == [*row[:half], *(-v % modulus for v in row[half:])]
    zero = [i for i in range(n) if masks[i // isa.lanes] >> (i % isa.lanes) & 1]
    assert zero == [0, 5, 10, 15]


@kernel
def extension_formulas(isa, modulus):
    @operation(isa, modulus)
    def evaluate(e, out, x, y, offset):
        a, b = e.load2(x, offset), e.load2(y, offset)
        results = [a * b, a.square(), lin([(3, a), (-2, b)]), select(a.equals(b), a.small(9), b - a), -a]
        kept = e.slot(a)
        with e.if_any(a.equals(b)):
            kept.set((a + b).weak())
        for result in [*results, kept.get()]:
            e.store(result.canonical(), out, offset)
            offset = e.shifted(offset, 2 * isa.over(modulus).block_words)

    def run(out, x, y):
        evaluate(out, x, y, 0)

    return run


def test_extension_field_formulas_agree_with_integers(isa):
    p, r = Fq.modulus, isa.over(Fq.modulus).montgomery_factor
    lanes = isa.lanes
    a = [((i + 3) ** 99 % p, p - 1 - i) for i in range(lanes)]
    b = [(p - 1, (i + 7) ** 101 % p) if i % 3 else a[i] for i in range(lanes)]

    def blocks(values):
        parts = [pack(isa, p, [v[k] * r % p for v in values]) for k in range(2)]
        return np.ascontiguousarray(np.concatenate(parts))

    out = np.zeros((6, 2, *isa.over(p).shape(lanes)), np.uint64)
    extension_formulas(isa, p)(out, blocks(a), blocks(b))
    assert a[0] == b[0], "the rare branch must be taken"
    for i, ((a0, a1), (b0, b1)) in enumerate(zip(a, b, strict=True)):
        same = (a0, a1) == (b0, b1)
        expected = [
            (a0 * b0 - a1 * b1, a0 * b1 + a1 * b0),
            (a0 * a0 - a1 * a1, 2 * a0 * a1),
            (3 * a0 - 2 * b0, 3 * a1 - 2 * b1),
            (9 * a0, 9 * a1) if same else (b0 - a0, b1 - a1),
            (-a0, -a1),
            (a0 + b0, a1 + b1),  # written for all lanes when any lane needs it
        ]
        got = [tuple(unpack(isa, block, lanes)[i] for block in result) for result in out]
        assert got == [tuple(c * r % p for c in pair) for pair in expected]


@kernel
def products_in_turns(isa, modulus):
    @operation(isa, modulus)
    def multiply(e, out, x, y):
        zero, words = e.integer(0), isa.over(modulus).block_words
        factors = e.load(x, zero), e.load(y, zero)
        squares = e.side_by_side([factor.square for factor in factors])
        for k, product in enumerate([*squares, factors[0] * factors[1]]):
            e.store(product.canonical(), out, e.integer(k * words))

    def run(out, x, y):
        multiply(out, x, y)

    return run


def test_code_side_by_side_computes_what_it_does_one_after_the_other(isa, modulus):
    lanes, inverse = isa.lanes, pow(isa.over(modulus).montgomery_factor, -1, modulus)
    xs, ys = [modulus - 1 - k for k in range(lanes)], [3 + k for k in range(lanes)]
    out = np.zeros((3, *isa.over(modulus).shape(lanes)[1:]), np.uint64)
    products_in_turns(isa, modulus)(out, pack(isa, modulus, xs), pack(isa, modulus, ys))
    expected = ([x * x for x in xs], [y * y for y in ys], [x * y for x, y in zip(xs, ys, strict=True)])
    for block, values in zip(out, expected, strict=True):
        assert unpack(isa, block[None], lanes) == [value * inverse % modulus for value in values]


def test_code_side_by_side_may_not_branch(isa):
    @kernel
    def branching(isa, modulus):
        @operation(isa, modulus)
        def reset(e, out):
            def piece():
                with e.if_any(e.load(out, e.integer(0)).is_zero()):
                    pass

            e.side_by_side([piece])

        def run(out):
            reset(out)

        return run

    with pytest.raises(AssertionError, match="branches"):
        branching(isa, Fq.modulus)(np.zeros(40, np.uint64))


def test_a_value_that_may_outgrow_its_limbs_is_refused_while_generating():
    if IFMA not in supported():
        pytest.skip("this CPU has no ifma instruction set")

    @kernel
    def too_large(isa, modulus):
        @operation(isa, modulus)
        def square(e, out):
            x = e.load(out, e.integer(0)).small(90)
            e.store(x * x, out, e.integer(0))

        def run(out):
            square(out)

        return run

    with pytest.raises(AssertionError, match="reduce it earlier"):
        too_large(IFMA, Fq.modulus)(np.zeros(40, np.uint64))


def test_the_paths_describe_their_blocks():
    assert IFMA.over(Fr.modulus).shape(9) == (2, 5, 8)
    assert PORTABLE.over(Fr.modulus).shape(9) == (9, 4, 1)
    assert IFMA.over(Fr.modulus).block_words == 40
    assert PORTABLE.over(Fr.modulus).montgomery_factor == pow(2, 256, Fr.modulus)


CONSTANTS = (0, 1, 2, FIELDS["Fr"] - 1, FIELDS["Fq"] // 3, 1 << 208)


@kernel
def prepared_products(isa, modulus, limit):
    @operation(isa, modulus)
    def multiply(e, out, x, table, at, offset, stride):
        value = e.load(x, offset, limit=limit)
        factors = [e.constant_factor(constant) for constant in CONSTANTS]
        for factor in [*factors, e.broadcast_factor(table, at)]:
            e.store(value.times(factor).canonical(), out, offset)
            offset = e.builder.add(offset, stride)

    shape = isa.over(modulus)
    words, factor_words = shape.block_words, shape.factor_parts * shape.limbs

    def run(out, x, table, blocks):
        for k in range(blocks):
            multiply(out, x, table, k * factor_words, k * words, blocks * words)

    return run


def test_prepared_factors_multiply_as_their_values_do(isa, modulus):
    shape, limit = isa.over(modulus), 64 * modulus if isa.lanes > 1 else modulus
    near = [k * modulus + d for k in range(1, limit // modulus) for d in (-1, 0, 1)] + [limit - 1]
    values = edges(isa, modulus) + near
    x = pack(isa, modulus, [values[i % len(values)] for i in range(-len(values) % isa.lanes + len(values))])
    values = unpack(isa, x, len(x) * isa.lanes)
    factors = [edges(isa, modulus)[k % len(edges(isa, modulus))] for k in range(len(x))]
    multiples = [[f * c % modulus for c in shape.multiples(shape.factor_parts)] for f in factors]
    table = np.array([[limbs_of(isa, modulus, m) for m in row] for row in multiples], np.uint64)
    out = np.zeros((len(CONSTANTS) + 1, *x.shape), np.uint64)
    prepared_products(isa, modulus, limit)(out, x, table, len(x))
    for constant, blocks in zip(CONSTANTS, out[:-1], strict=True):
        assert unpack(isa, blocks, len(values)) == [value * constant % modulus for value in values]
    of_table = [value * factors[i // isa.lanes] % modulus for i, value in enumerate(values)]
    assert unpack(isa, out[-1], len(values)) == of_table


@kernel
def tiles_there_and_back(isa, modulus):
    @operation(isa, modulus)
    def move(e, there, back, x):
        offsets = [e.integer(isa.over(modulus).block_words * k) for k in range(8)]
        tile = e.load_tile(x, offsets)
        for element, offset in zip(tile, offsets, strict=True):
            e.store(element, there, offset)
        e.store_tile(tile, back, offsets)

    def run(there, back, x):
        move(there, back, x)

    return run


def test_tiles_exchange_blocks_and_lanes_and_are_written_back_in_place(isa, modulus):
    values = [modulus - 1 - i for i in range(8 * isa.lanes)]
    x = pack(isa, modulus, values)
    there, back = np.zeros_like(x), np.zeros_like(x)
    tiles_there_and_back(isa, modulus)(there, back, x)
    turned = np.array(values, object).reshape(8, isa.lanes)
    turned = turned.T if isa.lanes == 8 else turned
    assert unpack(isa, there, len(values)) == turned.ravel().tolist()
    assert (back == x).all()
