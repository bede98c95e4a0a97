// Verifies Groth16 proofs over BN254: plain ones, of snarkjs' files, and ones with a commitment, as models have.
//
//   import { Verifier } from "./verify.mjs";
//   const verifier = new Verifier(verificationKey);            // the parsed verification_key.json; checked once
//   verifier.verify(proof, publicValues);                      // parsed proof.json and public.json: true or false
//   shown(statement, publicValues);                            // what a model's proof says, by statement.json
//
// A file that is not what it should be raises a FormatError: what is wrong, and where. Nothing is reduced or repaired.

import {
  becomesOne,
  fixedLines,
  isInG1,
  isInG2,
  lines,
  millerLoop,
  multiplied,
  negated,
  q,
  r,
  sumOfMultiples,
} from "./bn254.mjs";
import { keccak256 } from "./keccak.mjs";

const PLAIN = "groth16", COMMITTED = "groth16-commitment", VERSION = 2;
const CURVES = ["bn128", "bn254", "altbn128"];
const TAG = new TextEncoder().encode("zkgpu Groth16 with a commitment, 2");
const WIDTHS = [1n, 2n, 4n, 8n, 16n]; // bytes of a packed value
const ROLES = ["input", "output", "binding"];
const MOST_AXES = 32, MOST_LENGTH = 2 ** 31;
const G2 = [
  [
    10857046999023057135944570762232829481370756359578518086990519993285655852781n,
    11559732032986387107991004021392285783925812861821192530917403151452391805634n,
  ],
  [
    8495653923123431417604973247489272438418190587263600148770280649306958101930n,
    4082367875863433681332203403145435568316851327593401208105741076214120093531n,
  ],
];

export class FormatError extends Error {
  constructor(message) {
    super(message);
    this.name = "FormatError";
  }
}

export class InsecureKeyError extends FormatError {
  constructor(message) {
    super(message);
    this.name = "InsecureKeyError";
  }
}

// what files hold

/** A copy of what JSON holds: with no getter, hole or loop in it, whatever a caller gave. */
function parsed(value, what) {
  try {
    return JSON.parse(JSON.stringify(value));
  } catch {
    throw new FormatError(`the ${what} is not what a file of JSON holds`);
  }
}

function member(value, key) {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject || !Object.hasOwn(value, key)) {
    throw new FormatError(`the key "${key}" is missing: this is not the right file`);
  }
  return value[key];
}

function list(value, where, length) {
  if (!Array.isArray(value) || (length !== undefined && value.length !== length)) {
    throw new FormatError(`${where}: this is not a list${length === undefined ? "" : ` of ${length}`}`);
  }
  return value;
}

function decimal(value, end, where) {
  if (typeof value !== "string" || value.length > 80 || !/^(0|[1-9][0-9]*)$/.test(value) || BigInt(value) >= end) {
    throw new FormatError(`${where} is no decimal string of an integer below ${end}`);
  }
  return BigInt(value);
}

function count(value, where) {
  if (!Number.isInteger(value) || value < 0 || value >= MOST_LENGTH) throw new FormatError(`${where} is no count`);
  return value;
}

/** [x, y] with every coordinate in [0, q), in its group; null for infinity, which is (0, 1, 0). */
function pointOf(value, where, inG2) {
  const [x, y, z] = list(value, where, 3).map((part, i) =>
    (inG2 ? list(part, `${where}[${i}]`, 2) : [part]).map(one => decimal(one, q, `${where}[${i}]`)),
  );
  const is = (part, a) => part[0] === a && (part[1] ?? 0n) === 0n;
  if (is(x, 0n) && is(y, 1n) && is(z, 0n)) return null;
  if (!is(z, 1n)) throw new FormatError(`${where}: the point is not affine: its third coordinate is not 1`);
  const point = inG2 ? [x, y] : [x[0], y[0]];
  if (!(inG2 ? isInG2(point) : isInG1(point))) throw new FormatError(`${where}: no point of its group`);
  return point;
}

const g1 = (value, key) => pointOf(member(value, key), key, false);
const g2 = (value, key) => pointOf(member(value, key), key, true);

/** Whether the file is of a circuit with a commitment. */
function isCommitted(value, what) {
  const protocol = member(value, "protocol");
  if (protocol !== PLAIN && protocol !== COMMITTED) {
    throw new FormatError(`the protocol of the ${what} is ${JSON.stringify(protocol)}: give one of Groth16`);
  }
  const curve = value.curve === undefined ? "bn128" : value.curve;
  if (typeof curve !== "string" || !CURVES.includes(curve.toLowerCase().replace(/[_-]/g, ""))) {
    throw new FormatError(`the curve of the ${what} is ${JSON.stringify(curve)}, not bn128`);
  }
  if (protocol === COMMITTED && value.version !== VERSION) {
    throw new FormatError(`the ${what} has another version than ${VERSION}: make it with the zkgpu of this page`);
  }
  return protocol === COMMITTED;
}

/** An array of public values that travel packed. */
class PackedArray {
  constructor(value, where) {
    this.name = member(value, "name");
    if (typeof this.name !== "string" || /\p{Surrogate}/u.test(this.name)) {
      throw new FormatError(`${where}: the name is no text`);
    }
    this.shape = list(member(value, "shape"), `${where}.shape`).map(n => count(n, `${where}.shape`));
    [this.low, this.high] = ["low", "high"].map(key => signed(member(value, key), `${where}.${key}`));
    this.isSigned = this.low < 0n;
    this.width = WIDTHS.find(width => {
      const bits = 8n * width - (this.isSigned ? 1n : 0n);
      return this.high < 1n << bits && this.low >= (this.isSigned ? -(1n << bits) : 0n);
    });
    this.size = this.shape.reduce((product, n) => product * n, 1);
    if (this.low > this.high || !this.width || this.shape.length > MOST_AXES || !Number.isSafeInteger(this.size)) {
      throw new FormatError(`${where}: no array of integers from ${this.low} to ${this.high}`);
    }
    this.bytes = this.size * Number(this.width);
    this.offset = this.isSigned ? 1n << (8n * this.width - 1n) : 0n;
  }

  /** The integers in the bytes. */
  unpack(bytes) {
    const width = Number(this.width), values = new Array(this.size);
    for (let i = 0; i < this.size; i++) {
      let value = 0n;
      for (let j = 0; j < width; j++) value = (value << 8n) | BigInt(bytes[i * width + j]);
      values[i] = this.isSigned ? BigInt.asIntN(8 * width, value) : value;
      if (values[i] < this.low || values[i] > this.high) {
        throw new FormatError(`packed values: '${this.name}' ${i} is outside ${this.low} .. ${this.high}`);
      }
    }
    return values;
  }
}

function signed(value, where) {
  const isNegative = typeof value === "string" && value.startsWith("-");
  const magnitude = decimal(isNegative ? value.slice(1) : value, 1n << 128n, where);
  return isNegative ? -magnitude : magnitude;
}

/** The public inputs and the packed bytes of a parsed public.json. */
function publicOf(value) {
  const hasPacked = typeof value === "object" && value !== null && !Array.isArray(value) && "packed" in value;
  const inputs = list(hasPacked ? member(value, "inputs") : value, "the public inputs");
  return {
    inputs: inputs.map((one, i) => decimal(one, r, `public input ${i}`)),
    packed: hasPacked ? bytesOf(value.packed) : new Uint8Array(),
  };
}

function bytesOf(text) {
  if (typeof text !== "string" || !text.startsWith("0x") || text.length % 2 || /[^0-9a-f]/.test(text.slice(2))) {
    throw new FormatError('packed: this is no string of bytes such as "0x0aff"');
  }
  const bytes = new Uint8Array((text.length - 2) / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(text.slice(2 + 2 * i, 4 + 2 * i), 16);
  return bytes;
}

// what is hashed: 32 bytes a number, big-endian; points as x | y, the imaginary part first, zeros for infinity

function word(value) {
  const bytes = new Uint8Array(32);
  let rest = BigInt.asUintN(256, BigInt(value));
  for (let i = 32; i-- > 0; rest >>= 8n) bytes[i] = Number(rest & 255n);
  return bytes;
}

const wordsG1 = point => (point ?? [0n, 0n]).map(word);
const wordsG2 = point => (point ?? [[0n, 0n], [0n, 0n]]).flatMap(([a, b]) => [word(b), word(a)]);
const scalarOf = bytes => bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) % r;

/** The names of two points that are equal up to sign, or of one at infinity; null where there are none. */
function coincidence(points) {
  const seen = new Map();
  for (const [name, point] of Object.entries(points)) {
    if (point === null) return `${name} is the point at infinity`;
    const x = String(point[0]);
    if (seen.has(x)) return `${name} equals ${seen.get(x)} up to sign`;
    seen.set(x, name);
  }
  return null;
}

export class Verifier {
  /**
   * Checks a verifying key, and makes it ready for many proofs.
   *
   * key: the parsed verification_key.json
   * Raises FormatError for what is none, InsecureKeyError for one that anybody can forge proofs for.
   */
  constructor(key) {
    key = parsed(key, "verification key");
    this.isCommitted = isCommitted(key, "verification key");
    /** Whether the key says that one party made it, who can forge proofs. */
    this.isUnsafe = key.unsafe === undefined ? false : key.unsafe;
    if (typeof this.isUnsafe !== "boolean") throw new FormatError("unsafe is neither true nor false");
    this.ic = list(member(key, "IC"), "IC").map((point, i) => pointOf(point, `IC[${i}]`, false));
    const nPublic = count(member(key, "nPublic"), "nPublic");
    if (this.ic.length !== nPublic + 1) throw new FormatError(`IC has ${this.ic.length} points, nPublic is ${nPublic}`);
    const alpha = g1(key, "vk_alpha_1");
    const [beta, gamma, delta] = ["vk_beta_2", "vk_gamma_2", "vk_delta_2"].map(name => g2(key, name));
    const sigma = this.isCommitted ? g2(key, "vk_sigma_2") : undefined;
    this.arrays = [];
    this.challenges = 0;
    if (this.isCommitted) this.#readRound(key, nPublic);
    this.explicit = nPublic - this.challenges - (this.arrays.length ? 1 : 0);
    this.#requireSecure({ alpha }, { beta, gamma, delta, ...(sigma === undefined ? {} : { sigma }) });
    this.alphaBeta = millerLoop([[alpha, lines(beta)]]);
    [this.gamma, this.delta] = [fixedLines(gamma), fixedLines(delta)];
    if (this.isCommitted) {
      this.sigma = fixedLines(sigma);
      const points = [...wordsG1(alpha), ...[beta, gamma, delta, sigma].flatMap(wordsG2), ...this.ic.flatMap(wordsG1)];
      this.digest = keccak256(TAG, ...points, ...this.round);
    }
  }

  #readRound(key, nPublic) {
    const committed = count(member(key, "nCommitted"), "nCommitted");
    this.challenges = count(member(key, "nChallenges"), "nChallenges");
    this.arrays = list(member(key, "arrays"), "arrays").map((one, i) => new PackedArray(one, `arrays[${i}]`));
    const added = this.challenges + (this.arrays.length ? 1 : 0);
    if (!committed || !this.challenges || added > nPublic) {
      throw new FormatError("nCommitted, nChallenges and nPublic do not fit");
    }
    this.round = [committed, this.challenges, this.arrays.length].map(word);
    for (const array of this.arrays) {
      const name = keccak256(new TextEncoder().encode(array.name));
      this.round.push(name, ...[array.shape.length, ...array.shape, array.low, array.high].map(word));
    }
  }

  #requireSecure(inG1, inG2) {
    const ofG1 = { "the generator of G1": [1n, 2n], ...inG1 };
    for (const [i, point] of this.ic.entries()) ofG1[`IC[${i}]`] = point;
    // gamma may be 1, which any other secret then equals
    const isOne = String(inG2.gamma) === String(G2);
    const found = coincidence(ofG1) ?? coincidence(isOne ? inG2 : { "the generator of G2": G2, ...inG2 });
    if (found !== null) throw new InsecureKeyError(`anybody can forge proofs for this key: ${found}`);
  }

  /**
   * Whether a proof convinces that the circuit holds for the public values.
   *
   * proof, publicValues: the parsed proof.json and public.json
   * Raises FormatError for what is none, or is for a key of another form.
   */
  verify(proof, publicValues) {
    proof = parsed(proof, "proof");
    const { inputs, packed } = publicOf(parsed(publicValues, "public values"));
    if (isCommitted(proof, "proof") !== this.isCommitted) throw new FormatError("the proof is for another kind of key");
    if (inputs.length !== this.explicit) {
      throw new FormatError(`${inputs.length} public inputs, but the key is for ${this.explicit}`);
    }
    const [a, b, c] = [g1(proof, "pi_a"), g2(proof, "pi_b"), g1(proof, "pi_c")];
    if (!this.isCommitted) {
      if (packed.length) throw new FormatError("packed values, but the key has none");
      return this.#holds([a, b, c], sumOfMultiples(this.ic, [1n, ...inputs]), null);
    }
    const [d, knowledge] = [g1(proof, "pi_commitment"), g1(proof, "pi_knowledge")];
    const state = keccak256(this.digest, ...wordsG1(d), ...inputs.map(word), packed);
    const drawn = Array.from({ length: this.challenges }, (_, k) => scalarOf(keccak256(state, word(k))));
    const said = [wordsG1(a), wordsG2(b), wordsG1(c), wordsG1(knowledge)].flat();
    const t = scalarOf(keccak256(state, ...said));
    const all = [1n, ...inputs, ...drawn, ...(this.arrays.length ? [this.#digestOf(packed, drawn[0])] : [])];
    if (!this.arrays.length && packed.length) throw new FormatError("packed values, but the key has none");
    const bound = sumOfMultiples([...this.ic, d, knowledge], [...all, 1n, t]);
    return this.#holds([a, b, c], bound, negated(sumOfMultiples([d], [t])));
  }

  /** e(A, B) = e(alpha, beta) e(bound, gamma) e(C, delta) e(unknown, sigma). */
  #holds([a, b, c], bound, unknown) {
    const pairs = [
      [negated(a), b === null ? null : lines(b)],
      [bound, this.gamma],
      [c, this.delta],
      [unknown, this.sigma],
    ];
    const finite = pairs.filter(([point, found]) => point !== null && found !== null);
    return becomesOne(multiplied(this.alphaBeta, millerLoop(finite)));
  }

  /** The polynomial with the packed values as coefficients, at a point. */
  #digestOf(packed, point) {
    let total = 0n;
    for (const [array, values] of unpacked(this.arrays, packed)) {
      for (const value of values) total = (total * point + value + array.offset) % r;
    }
    return total;
  }
}

function unpacked(arrays, packed) {
  const size = arrays.reduce((sum, array) => sum + array.bytes, 0);
  if (packed.length !== size) throw new FormatError(`${packed.length} bytes of packed values, but the key has ${size}`);
  let at = 0;
  return arrays.map(array => [array, array.unpack(packed.subarray(at, (at += array.bytes)))]);
}

/**
 * What a model's proof shows: a list of {name, role, shape, integers, scale, labels}, integers in C order; real numbers
 * are scale times integers.
 *
 * statement: the parsed statement.json, which lies beside the verifying key
 * publicValues: the parsed public.json
 * verifier: of the same model; the statement must have its arrays
 */
export function shown(statement, publicValues, verifier) {
  statement = parsed(statement, "statement");
  if (member(statement, "zkgpu statement") !== 2) throw new FormatError("the statement has another version than 2");
  const tensors = list(member(statement, "tensors"), "tensors").filter(one => member(one, "visibility") === "public");
  const said = JSON.stringify(tensors.map(({ name, shape, low, high }) => [name, shape, low, high]));
  const own = verifier.arrays.map(({ name, shape, low, high }) => [name, shape, String(low), String(high)]);
  if (said !== JSON.stringify(own)) throw new FormatError("the statement is not that of the verifying key");
  const values = unpacked(verifier.arrays, publicOf(parsed(publicValues, "public values")).packed);
  return tensors.map(({ name, role, shape, scale, labels }, i) => {
    const real = typeof scale === "string" && /^[0-9.e+-]+$/.test(scale) ? Number(scale) : NaN;
    if (!(real > 0 && real < Infinity)) throw new FormatError(`the scale of '${name}' is no positive number`);
    if (!ROLES.includes(role)) throw new FormatError(`the role of '${name}' is none of ${ROLES.join(", ")}`);
    if (list(labels, "labels").some(label => typeof label !== "string")) throw new FormatError("a label is no text");
    return { name, role, shape, integers: values[i][1], scale: real, labels };
  });
}
