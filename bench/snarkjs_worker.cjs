// A process that proves with snarkjs, as zkgpu_worker.py does: node snarkjs_worker.cjs KEY.zkey WITNESS.wtns
// Key and witness are in memory, curve and thread pool are warm after the first proof.
const fs = require("fs");
const readline = require("readline");
const snarkjs = require("snarkjs");

const answer = (facts) => console.log(JSON.stringify(facts));

async function main() {
  const [keyFile, witnessFile] = process.argv.slice(2);
  const start = performance.now();
  const key = new Uint8Array(fs.readFileSync(keyFile));
  const witness = new Uint8Array(fs.readFileSync(witnessFile));
  answer({ seconds: (performance.now() - start) / 1e3, device: "snarkjs, warm" });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [, proofFile, publicFile] = line.split(" ");
    const begun = performance.now();
    const cpu = process.cpuUsage();
    const { proof, publicSignals } = await snarkjs.groth16.prove(key, witness);
    const seconds = (performance.now() - begun) / 1e3;
    const used = process.cpuUsage(cpu);
    fs.writeFileSync(proofFile, JSON.stringify(proof));
    fs.writeFileSync(publicFile, JSON.stringify(publicSignals));
    answer({ seconds, cpu_seconds: (used.user + used.system) / 1e6 });
  }
  process.exit(0);
}

main();
