// The curve BN254 (alt_bn128): its fields, groups and pairing, on BigInts.
//
// Numbers are integers of any sign and size that stand for their remainders modulo q: products are reduced, sums are
// not, and `canonical` brings one to [0, q). Fp2 is [a, b] for a + b i, i^2 = -1; Fp6 is [x, y, z] for x + y v + z v^2,
// v^3 = 9 + i; Fp12 is [f, g] for f + g w, w^2 = v. Points of both groups are affine [x, y], or null for infinity.

export const q = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;
export const r = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
const u = 4965661367192848881n; // q = 36 u^4 + 36 u^3 + 24 u^2 + 6 u + 1

export const canonical = a => (a %= q) < 0n ? a + q : a;

/** The inverse modulo m, of a number that is not 0 (extended Euclid). */
function inverse(a, m) {
  let [x, y, s, t] = [((a % m) + m) % m, m, 1n, 0n];
  while (x > 1n) {
    const k = y / x;
    [x, y, s, t] = [y - k * x, x, t - k * s, s];
  }
  return s;
}

function power(field, a, e) {
  let out = field.one;
  for (const bit of e.toString(2)) {
    out = field.square(out);
    if (bit === "1") out = field.mul(out, a);
  }
  return out;
}

// fields

export const Fp = {
  one: 1n,
  zero: 0n,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  neg: a => -a,
  mul: (a, b) => (a * b) % q,
  square: a => (a * a) % q,
  inverse: a => inverse(a, q),
  isZero: a => a % q === 0n,
  canonical,
};

export const Fp2 = {
  one: [1n, 0n],
  zero: [0n, 0n],
  add: (x, y) => [x[0] + y[0], x[1] + y[1]],
  sub: (x, y) => [x[0] - y[0], x[1] - y[1]],
  neg: x => [-x[0], -x[1]],
  mul(x, y) {
    const low = x[0] * y[0], high = x[1] * y[1];
    return [(low - high) % q, ((x[0] + x[1]) * (y[0] + y[1]) - low - high) % q];
  },
  square: x => [((x[0] + x[1]) * (x[0] - x[1])) % q, (2n * x[0] * x[1]) % q],
  scale: (x, k) => [(x[0] * k) % q, (x[1] * k) % q],
  conjugate: x => [x[0], -x[1]],
  inverse(x) {
    const k = inverse(x[0] * x[0] + x[1] * x[1], q);
    return [(x[0] * k) % q, (-x[1] * k) % q];
  },
  isZero: x => x[0] % q === 0n && x[1] % q === 0n,
  canonical: x => x.map(canonical),
};

/** Times 9 + i. */
const timesXi = x => [9n * x[0] - x[1], 9n * x[1] + x[0]];
const reduced = x => [x[0] % q, x[1] % q];

const Fp6 = {
  one: [Fp2.one, Fp2.zero, Fp2.zero],
  zero: [Fp2.zero, Fp2.zero, Fp2.zero],
  add: (x, y) => [Fp2.add(x[0], y[0]), Fp2.add(x[1], y[1]), Fp2.add(x[2], y[2])],
  sub: (x, y) => [Fp2.sub(x[0], y[0]), Fp2.sub(x[1], y[1]), Fp2.sub(x[2], y[2])],
  neg: x => x.map(Fp2.neg),
  mul([a, b, c], [d, e, f]) {
    const ad = Fp2.mul(a, d), be = Fp2.mul(b, e), cf = Fp2.mul(c, f);
    const bc = Fp2.mul(Fp2.add(b, c), Fp2.add(e, f)), ab = Fp2.mul(Fp2.add(a, b), Fp2.add(d, e));
    const ac = Fp2.mul(Fp2.add(a, c), Fp2.add(d, f));
    return [
      Fp2.add(timesXi(Fp2.sub(Fp2.sub(bc, be), cf)), ad),
      Fp2.add(Fp2.sub(Fp2.sub(ab, ad), be), timesXi(cf)),
      Fp2.add(Fp2.sub(Fp2.sub(ac, ad), cf), be),
    ];
  },
  /** x (d + e v). */
  mulShort([a, b, c], d, e) {
    const ad = Fp2.mul(a, d), be = Fp2.mul(b, e), ce = Fp2.mul(c, e);
    const cross = Fp2.sub(Fp2.sub(Fp2.mul(Fp2.add(a, b), Fp2.add(d, e)), ad), be);
    return [Fp2.add(timesXi(ce), ad), cross, Fp2.add(Fp2.mul(c, d), be)];
  },
  timesV: ([a, b, c]) => [timesXi(c), a, b],
  reduced: x => x.map(reduced),
  inverse([a, b, c]) {
    const s = Fp2.sub(Fp2.square(a), timesXi(Fp2.mul(b, c)));
    const t = Fp2.sub(timesXi(Fp2.square(c)), Fp2.mul(a, b)), w = Fp2.sub(Fp2.square(b), Fp2.mul(a, c));
    const norm = Fp2.add(Fp2.mul(a, s), timesXi(Fp2.add(Fp2.mul(c, t), Fp2.mul(b, w))));
    const k = Fp2.inverse(norm);
    return [s, t, w].map(part => Fp2.mul(part, k));
  },
};

const Fp12 = {
  one: [Fp6.one, Fp6.zero],
  mul([a, b], [c, d]) {
    const ac = Fp6.mul(a, c), bd = Fp6.mul(b, d);
    const cross = Fp6.mul(Fp6.add(a, b), Fp6.add(c, d));
    return [Fp6.reduced(Fp6.add(ac, Fp6.timesV(bd))), Fp6.reduced(Fp6.sub(Fp6.sub(cross, ac), bd))];
  },
  square([a, b]) {
    const ab = Fp6.mul(a, b), vb = Fp6.timesV(b);
    const sum = Fp6.mul(Fp6.add(a, b), Fp6.add(a, vb));
    return [Fp6.reduced(Fp6.sub(Fp6.sub(sum, ab), Fp6.timesV(ab))), Fp6.reduced(Fp6.add(ab, ab))];
  },
  conjugate: ([a, b]) => [a, Fp6.neg(b)],
  inverse([a, b]) {
    const k = Fp6.inverse(Fp6.sub(Fp6.mul(a, a), Fp6.timesV(Fp6.mul(b, b))));
    return [Fp6.mul(a, k), Fp6.neg(Fp6.mul(b, k))];
  },
  isOne([a, b]) {
    return Fp2.isZero(Fp2.sub(a[0], Fp2.one)) && [a[1], a[2], ...b].every(Fp2.isZero);
  },
};

// Frobenius: w^(q - 1) = (9 + i)^((q - 1) / 6), to the powers 0 .. 5, for one application, and two and three
const W = [1n, 2n, 3n].map(n => {
  const base = power(Fp2, [9n, 1n], (q ** n - 1n) / 6n);
  const powers = [Fp2.one];
  while (powers.length < 6) powers.push(Fp2.mul(powers.at(-1), base));
  return powers;
});

/** x to the power q^n, n from 1 to 3. */
function frobenius([f, g], n) {
  const turned = n % 2 ? Fp2.conjugate : x => x;
  const mapped = (x, k) => Fp2.mul(turned(x), W[n - 1][k]);
  return [f.map((x, i) => mapped(x, 2 * i)), g.map((x, i) => mapped(x, 2 * i + 1))];
}

// groups

const twistB = Fp2.mul([3n, 0n], Fp2.inverse([9n, 1n])); // 3 / (9 + i)

function isOnCurve(field, b, [x, y]) {
  return field.isZero(field.sub(field.square(y), field.add(field.mul(field.square(x), x), b)));
}

/** Whether affine coordinates in [0, q) are a point of G1, whose order is prime. */
export const isInG1 = point => point === null || isOnCurve(Fp, 3n, point);

/** The sum of two points in Jacobian coordinates [x, y, z]; infinity has z = 0. */
function addJacobian(field, p, o) {
  if (field.isZero(p[2])) return o;
  if (field.isZero(o[2])) return p;
  const { mul, square, add, sub } = field;
  const pz = square(p[2]), oz = square(o[2]);
  const x1 = mul(p[0], oz), x2 = mul(o[0], pz);
  const y1 = mul(p[1], mul(oz, o[2])), y2 = mul(o[1], mul(pz, p[2]));
  const h = sub(x2, x1), s = sub(y2, y1);
  if (field.isZero(h)) return field.isZero(s) ? doubleJacobian(field, p) : [field.one, field.one, field.zero];
  const hh = square(h), hhh = mul(h, hh), v = mul(x1, hh);
  const x = sub(sub(square(s), hhh), add(v, v));
  return [x, sub(mul(s, sub(v, x)), mul(y1, hhh)), mul(mul(p[2], o[2]), h)];
}

function doubleJacobian(field, [x, y, z]) {
  const { mul, square, add, sub } = field;
  const yy = square(y), half = mul(x, yy), s = add(add(half, half), add(half, half));
  const xx = square(x), m = add(xx, add(xx, xx)), yyyy = square(yy);
  const x3 = sub(square(m), add(s, s)), eight = add(add(yyyy, yyyy), add(yyyy, yyyy));
  const yz = mul(y, z);
  return [x3, sub(mul(m, sub(s, x3)), add(eight, eight)), add(yz, yz)];
}

const jacobian = (field, point) => (point === null ? [field.one, field.one, field.zero] : [...point, field.one]);

function affine(field, [x, y, z]) {
  if (field.isZero(z)) return null;
  const k = field.inverse(z), kk = field.square(k);
  return [field.canonical(field.mul(x, kk)), field.canonical(field.mul(y, field.mul(kk, k)))];
}

/** Signed digits of k, the lowest first: each is 0, or odd and below 8, and three zeros follow one that is not 0. */
function digits(k) {
  const found = [];
  for (; k > 0n; k >>= 1n) {
    let digit = 0;
    if (k & 1n) {
      digit = Number(k & 15n);
      if (digit > 8) digit -= 16;
      k -= BigInt(digit);
    }
    found.push(digit);
  }
  return found;
}

/** The sum of scalars[i] points[i] in G1, scalars below 2^256: all share one chain of doublings. */
export function sumOfMultiples(points, scalars) {
  const parts = [];
  for (const [i, point] of points.entries()) {
    if (point === null || scalars[i] === 0n) continue;
    const one = jacobian(Fp, point), two = doubleJacobian(Fp, one), odd = [one];
    while (odd.length < 4 && scalars[i] > 16n) odd.push(addJacobian(Fp, odd.at(-1), two));
    while (odd.length < 4) odd.push(addJacobian(Fp, odd.at(-1), two));
    parts.push([odd, digits(scalars[i])]);
  }
  let sum = jacobian(Fp, null);
  for (let at = Math.max(0, ...parts.map(part => part[1].length)); at-- > 0; ) {
    sum = doubleJacobian(Fp, sum);
    for (const [odd, signed] of parts) {
      const digit = signed[at] ?? 0;
      if (!digit) continue;
      const [x, y, z] = odd[(Math.abs(digit) - 1) / 2];
      sum = addJacobian(Fp, sum, [x, digit < 0 ? -y : y, z]);
    }
  }
  return affine(Fp, sum);
}

export const negated = point => (point === null ? null : [point[0], canonical(-point[1])]);

/** The endomorphism of the twist that acts as multiplication by q on G2, in Jacobian coordinates. */
function psi([x, y, z]) {
  return [Fp2.mul(Fp2.conjugate(x), W[0][2]), Fp2.mul(Fp2.conjugate(y), W[0][3]), Fp2.conjugate(z)];
}

/**
 * Whether affine coordinates in [0, q) are a point of G2: on the twist, and of order r, by
 * [u + 1] P + psi([u] P) + psi^2([u] P) = psi^3([2 u] P) (Dai, Lin, Zhao, Zhou, eprint 2022/348, section 5.1).
 */
export function isInG2(point) {
  if (point === null) return true;
  if (!isOnCurve(Fp2, twistB, point)) return false;
  const start = jacobian(Fp2, point);
  let many = jacobian(Fp2, null);
  for (const bit of u.toString(2)) {
    many = doubleJacobian(Fp2, many);
    if (bit === "1") many = addJacobian(Fp2, many, start);
  }
  const once = psi(many);
  const left = addJacobian(Fp2, addJacobian(Fp2, addJacobian(Fp2, many, start), once), psi(once));
  const right = psi(psi(psi(doubleJacobian(Fp2, many))));
  const difference = addJacobian(Fp2, left, [right[0], Fp2.neg(right[1]), right[2]]);
  return Fp2.isZero(difference[2]);
}

// pairing: optimal ate (Vercauteren, IEEE Trans. Inf. Theory 56, 2010), over 6 u + 2 in signed binary digits

const LOOP = (() => {
  const found = [];
  for (let k = 6n * u + 2n; k > 0n; k >>= 1n) {
    let digit = k & 1n;
    if (digit && (k & 3n) === 3n) digit = -1n;
    k -= digit;
    found.push(Number(digit));
  }
  return found.reverse().slice(1);
})();

/**
 * The lines of a point Q of G2, in the order the loop needs them: [d, s, t] stands for d y - s x w + t w^3 at (x, y).
 * A line over T and Q (Costello, Lange, Naehrig, eprint 2009/615), T in homogeneous coordinates, is scaled freely: what
 * lies in a smaller field goes in the final exponentiation.
 */
export function lines([x2, y2]) {
  const { mul, square, add, sub, scale, neg } = Fp2;
  const found = [];
  let [x, y, z] = [x2, y2, Fp2.one];

  function double() {
    const b = square(y), e = mul(scale(twistB, 3n), square(z)), f = scale(e, 3n), h = scale(mul(y, z), 2n);
    const xx = square(x);
    found.push([h, scale(xx, 3n), sub(b, e)]);
    const half = scale(mul(x, y), HALF), g = scale(add(b, f), HALF);
    [x, y, z] = [mul(half, sub(b, f)), sub(square(g), scale(square(e), 3n)), mul(b, h)];
  }

  function addTo([x1, y1]) {
    const d = sub(x, mul(x1, z)), e = sub(y, mul(y1, z));
    found.push([d, e, sub(mul(e, x1), mul(d, y1))]);
    const f = square(d), h = mul(d, f), i = mul(x, f), j = sub(add(mul(z, square(e)), h), add(i, i));
    [x, y, z] = [mul(d, j), sub(mul(e, sub(i, j)), mul(h, y)), mul(z, h)];
  }

  for (const digit of LOOP) {
    double();
    if (digit) addTo([x2, digit < 0 ? neg(y2) : y2]);
  }
  const once = psi([x2, y2, Fp2.one]), twice = psi(once);
  addTo([once[0], once[1]]);
  addTo([twice[0], neg(twice[1])]);
  return found;
}

const HALF = (q + 1n) / 2n;

/** The lines with d = 1: for a point that is paired often. */
export function fixedLines(point) {
  const found = lines(point);
  // all inverses by one (Montgomery's trick)
  const products = [Fp2.one];
  for (const [d] of found) products.push(Fp2.mul(products.at(-1), d));
  let rest = Fp2.inverse(products.at(-1));
  for (let i = found.length; i-- > 0; ) {
    const [d, s, t] = found[i], k = Fp2.mul(rest, products[i]);
    rest = Fp2.mul(rest, d);
    found[i] = [null, Fp2.canonical(Fp2.mul(s, k)), Fp2.canonical(Fp2.mul(t, k))];
  }
  return found;
}

/** f times the line at (x, y), or for a line with d = 1 at (x / y, 1 / y), which leaves out a factor y. */
function timesLine([f, g], [d, s, t], [x, y]) {
  const first = d === null ? Fp2.one : Fp2.scale(d, y);
  const second = Fp2.scale(s, -x), third = d === null ? Fp2.scale(t, y) : t;
  const low = d === null ? f : f.map(part => Fp2.mul(part, first));
  const high = Fp6.mulShort(g, second, third);
  const cross = Fp6.mulShort(Fp6.add(f, g), Fp2.add(first, second), third);
  return [Fp6.reduced(Fp6.add(low, Fp6.timesV(high))), Fp6.reduced(Fp6.sub(Fp6.sub(cross, low), high))];
}

/** The product of Miller functions: pairs of a point of G1 and lines of a point of G2, without infinities. */
export function millerLoop(pairs) {
  const places = pairs.map(([[x, y], found]) => {
    if (found[0][0] !== null) return [x, y];
    const k = inverse(y, q);
    return [(x * k) % q, k];
  });
  let f = Fp12.one, at = 0;
  const meet = () => {
    for (const [i, [, found]] of pairs.entries()) f = timesLine(f, found[at], places[i]);
    at += 1;
  };
  for (const digit of LOOP) {
    f = Fp12.square(f);
    meet();
    if (digit) meet();
  }
  meet();
  meet();
  return f;
}

export const multiplied = Fp12.mul;

/** x^2 for x of the cyclotomic subgroup (Granger, Scott, eprint 2009/565). */
function cyclotomicSquare([[a, b, c], [d, e, f]]) {
  const fourth = (x, y) => {
    const xx = Fp2.square(x), yy = Fp2.square(y);
    return [Fp2.add(xx, timesXi(yy)), Fp2.sub(Fp2.sub(Fp2.square(Fp2.add(x, y)), xx), yy)];
  };
  const [ae, aeCross] = fourth(a, e), [db, dbCross] = fourth(d, c), [bf, bfCross] = fourth(b, f);
  const less = (x, y) => reduced([3n * x[0] - 2n * y[0], 3n * x[1] - 2n * y[1]]);
  const more = (x, y) => reduced([3n * x[0] + 2n * y[0], 3n * x[1] + 2n * y[1]]);
  return [
    [less(ae, a), less(db, b), less(bf, c)],
    [more(timesXi(bfCross), d), more(aeCross, e), more(dbCross, f)],
  ];
}

function toU(x) {
  let out = x;
  for (const bit of u.toString(2).slice(1)) {
    out = cyclotomicSquare(out);
    if (bit === "1") out = Fp12.mul(out, x);
  }
  return out;
}

/**
 * Whether the value of a Miller loop becomes 1: to the power (q^12 - 1) / r, the last part of which is
 * the chain of Scott, Benger, Charlemagne, Dominguez Perez, Kachisa (eprint 2008/490).
 */
export function becomesOne(f) {
  const { mul, conjugate } = Fp12;
  let m = mul(conjugate(f), Fp12.inverse(f));
  m = mul(frobenius(m, 2), m);
  const mu = toU(m), mu2 = toU(mu), mu3 = toU(mu2);
  const y0 = mul(mul(frobenius(m, 1), frobenius(m, 2)), frobenius(m, 3));
  const y2 = frobenius(mu2, 2), y3 = conjugate(frobenius(mu, 1)), y4 = conjugate(mul(mu, frobenius(mu2, 1)));
  const y5 = conjugate(mu2), y6 = conjugate(mul(mu3, frobenius(mu3, 1)));
  let s = mul(mul(cyclotomicSquare(y6), y4), y5);
  let t = mul(mul(y3, y5), s);
  s = mul(s, y2);
  t = cyclotomicSquare(mul(cyclotomicSquare(t), s));
  s = cyclotomicSquare(mul(t, conjugate(m)));
  return Fp12.isOne(mul(s, mul(t, y0)));
}
