// What no JSON holds, and what is too large, given to the module that is named: each must end in a FormatError.
// Prints the attacks that ended otherwise, as JSON: [name, what came of it].
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [, , folder] = process.argv;
const { FormatError, Verifier, shown } = await import(pathToFileURL(`${folder}/verify.mjs`));
const read = name => JSON.parse(readFileSync(`${folder}/model/${name}.json`, "utf8"));
const [key, proof, values, statement] = ["verification_key", "proof", "public", "statement"].map(read);
const verifier = new Verifier(key);

const holes = length => new Array(length);
const loop = {};
loop.loop = loop;
const odd = {
  nothing: undefined,
  null: null,
  bigint: 1n,
  symbol: Symbol("x"),
  function: () => "1",
  loop,
  holes: holes(3),
  map: new Map(),
  bytes: new Uint8Array(3),
  "not a number": NaN,
  infinity: Infinity,
  negative: -1,
  fraction: 0.5,
  "no prototype": Object.create(null),
  "long digits": "1".repeat(100_000),
  "high surrogate": "\ud800",
  "newline": "1\n",
  "wide digit": "\uff11",
};

// what says nothing about the verdict: members that nobody reads, and a curve that need not be named
const unread = ["vk_alphabeta_12", "weights", "hidden", "public inputs", "type", "offset"];
const optional = ["curve", "unsafe"];
const fine = (member, name) =>
  (optional.includes(member) && ["nothing", "missing", "symbol", "function"].includes(name)) ||
  (member === "name" && ["long digits", "newline", "wide digit"].includes(name));

function* changes(value, what) {
  for (const [name, other] of Object.entries(odd)) {
    yield [`${what}: ${name}`, other];
    for (const member of Object.keys(value)) {
      if (unread.includes(member) || fine(member, name)) continue;
      yield [`${what}.${member}: ${name}`, { ...value, [member]: other }];
    }
  }
  for (const member of Object.keys(value)) {
    if (unread.includes(member) || fine(member, "missing")) continue;
    const { [member]: _, ...rest } = value;
    yield [`${what}.${member}: missing`, rest];
  }
}

const attacks = [
  ...[...changes(key, "key")].map(([name, other]) => [name, () => new Verifier(other)]),
  ...[...changes(proof, "proof")].map(([name, other]) => [name, () => verifier.verify(other, values)]),
  ...[...changes(values, "public")].map(([name, other]) => [name, () => verifier.verify(proof, other)]),
  ...[...changes(statement, "statement")].map(([name, other]) => [name, () => shown(other, values, verifier)]),
  ...[...changes(statement.tensors[0], "tensor")].map(([name, other]) => [
    name,
    () => shown({ ...statement, tensors: [other, statement.tensors[1]] }, values, verifier),
  ]),
  ...[...changes(key.arrays[0], "array")].map(([name, other]) => [
    name,
    () => new Verifier({ ...key, arrays: [other, key.arrays[1]] }),
  ]),
];
const large = { "many bytes": "0x" + "00".repeat(5_000_000), "half a byte more": "0x" + "0".repeat(10_000_001) };
for (const [name, packed] of Object.entries(large)) {
  attacks.push([name, () => verifier.verify(proof, { ...values, packed })]);
}
attacks.push(["many numbers", () => verifier.verify(proof, { ...values, inputs: new Array(100_000).fill("1") })]);
const [x, y] = proof.pi_a;
for (const [name, point] of Object.entries({
  "holes in a point": [, y, "1"],
  "holes in a coordinate": [x, holes(1), "1"],
  "a coordinate more": [x, y, "1", "1"],
})) {
  attacks.push([name, () => verifier.verify({ ...proof, pi_a: point }, values)]);
}

function outcome(attack) {
  try {
    return String(attack());
  } catch (error) {
    return error instanceof FormatError ? null : `${error.name}: ${error.message}`;
  }
}

const found = attacks.map(([name, attack]) => [name, outcome(attack)]).filter(([, answer]) => answer !== null);
console.log(JSON.stringify({ tried: attacks.length, found }));
