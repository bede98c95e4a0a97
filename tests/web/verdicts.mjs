// Reads {keys, questions: [[key number, proof, public]]} on standard input; prints the verdict on each as JSON: true,
// false, or what the error says. Given --times, prints milliseconds instead, of verifiers that are ready.
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const [, , module, option] = process.argv;
const { FormatError, Verifier } = await import(pathToFileURL(module));
const { keys, questions } = JSON.parse(await text(process.stdin));

function attempt(work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof FormatError) return `${error.name}: ${error.message}`;
    throw error;
  }
}

const verifiers = keys.map(key => attempt(() => new Verifier(key)));
const answers = questions.map(([number, proof, values]) => {
  const verifier = verifiers[number], start = performance.now();
  const answer = verifier instanceof Verifier ? attempt(() => verifier.verify(proof, values)) : verifier;
  return option === "--times" ? performance.now() - start : answer;
});
console.log(JSON.stringify(answers));
