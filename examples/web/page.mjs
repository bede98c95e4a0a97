// The page: takes files or the samples beside it, and shows the verdict, its time, and what the proof says.
import { Verifier, shown } from "./verify.mjs";

const MOST = 40; // numbers shown of a tensor
const at = id => document.getElementById(id);
let last = null;

async function chosen(name, isOptional) {
  const [file] = document.querySelector(`input[name=${name}]`).files;
  if (file) return JSON.parse(await file.text());
  if (isOptional) return null;
  throw new Error(`choose the file: ${name}`);
}

async function sample(folder) {
  const names = ["verification_key", "proof", "public", ...(folder === "model" ? ["statement"] : [])];
  return Promise.all(names.map(async name => (await fetch(`${folder}/${name}.json`)).json()));
}

function altered([key, proof, values, statement]) {
  const other = structuredClone(values);
  const flipped = text => text.slice(0, -1) + (text.endsWith("0") ? "1" : "0");
  if (Array.isArray(other)) other[0] = flipped(other[0]);
  else other.packed = flipped(other.packed);
  return [key, proof, other, statement];
}

function show(verdict, kind) {
  at("verdict").textContent = verdict;
  at("verdict").className = kind;
}

function showValues(tensors) {
  at("values").replaceChildren();
  for (const { name, role, integers, scale, labels } of tensors) {
    const row = at("values").insertRow();
    row.insertCell().textContent = `${role} ${name}`;
    const numbers = integers.slice(0, MOST).map((integer, i) => {
      const number = String(Number((Number(integer) * scale).toPrecision(6)));
      return labels.length === integers.length ? `${labels[i]}: ${number}` : number;
    });
    row.insertCell().textContent = numbers.join(", ") + (integers.length > MOST ? `, .. (${integers.length})` : "");
  }
}

async function run(files) {
  showValues([]);
  at("unsafe").textContent = "";
  show("..", "");
  try {
    last = await files();
    const [key, proof, values, statement] = last;
    const verifier = new Verifier(key), start = performance.now();
    const valid = verifier.verify(proof, values);
    const time = `${(performance.now() - start).toFixed(1)} ms`;
    show(valid ? `valid proof (${time})` : `INVALID proof (${time})`, valid ? "yes" : "no");
    if (verifier.isUnsafe) at("unsafe").textContent = "UNSAFE key: one party made it and can forge proofs. For tests only.";
    if (valid && statement) showValues(shown(statement, values, verifier));
  } catch (error) {
    show(error.message, "no");
  }
}

at("verify").onclick = () =>
  run(async () => [...(await Promise.all(["key", "proof", "public"].map(name => chosen(name)))), await chosen("statement", true)]);
for (const folder of ["model", "plain"]) at(folder).onclick = () => run(() => sample(folder));
at("altered").onclick = () => run(async () => altered(last ?? (await sample("model"))));
const first = location.hash.slice(1);
if (["model", "plain"].includes(first)) at(first).click();
