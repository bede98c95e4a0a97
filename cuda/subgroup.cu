// Which points of the twist of BN254 are in G2. psi, the untwisted Frobenius map, takes (x, y) to (c2 conj(x),
// c3 conj(y)) (Galbraith and Scott, eprint 2008/117, section 3); P is in the group exactly when
// [x + 1] P + psi([x] P) + psi^2([x] P) = psi^3([2x] P) for the curve's parameter x (Dai, Lin, Zhao, Zhou, eprint
// 2022/348): one multiplication by 63 bits instead of one by the order.
#include "curve.cuh"
#include "grid.cuh"

using Point = Affine<Coordinate>;
using Sum = Xyzz<Coordinate>;

// one of psi's coordinates, of a sum in memory
ZK_INLINE void turn(Coordinate& c, const Coordinate& factor) { c = product(conjugate(c), factor); }

// sum = psi(sum), in memory
ZK_INLINE void turn(Sum& sum, const Coordinate* psi) {
    turn(sum.x, psi[0]);
    forget_memory();
    turn(sum.y, psi[1]);
    sum.zz = conjugate(sum.zz);
    sum.zzz = conjugate(sum.zzz);
}

// outside[i] = whether points[i], on the twist or infinity, is not in G2. `parameter` is x; psi holds c2 and c3;
// `multiples` and `sums` are room for a sum each. The addition is in the code once: it is long.
ZK_KERNEL(128) find_outside(uint32_t n, uint64_t parameter, const Coordinate* psi, const Point* points,
                            Sum* multiples, Sum* sums, uint32_t* outside) {
    uint32_t i = thread_index();
    if (i >= n) return;
    Sum &multiple = multiples[i], &sum = sums[i];
    Words<2> x = {{(uint32_t)parameter, (uint32_t)(parameter >> 32)}};
    multiply_vartime(multiple, points[i], x);
    sum = from_affine(points[i]);
    forget_memory();
    // [x] P, psi of it, psi^2, then -psi^3 twice
#pragma unroll 1
    for (uint32_t term = 0; term < 5; term++) {
        if (0 < term && term < 4) turn(multiple, psi);
        forget_memory();
        if (term == 3) multiple.y = neg(multiple.y);
        add_point(sum, multiple);
    }
    outside[i] = !is_infinity(sum);
}
