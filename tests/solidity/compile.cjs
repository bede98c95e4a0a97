// node compile.cjs FOLDER: compiles every FOLDER/*.sol and prints {name: creation code in hex} as JSON.
// Needs npm's solc on NODE_PATH.
const { readdirSync, readFileSync } = require("node:fs");
const { join } = require("node:path");
const solc = require("solc");

const folder = process.argv[2];
const names = readdirSync(folder).filter((name) => name.endsWith(".sol")).sort();
const input = {
  language: "Solidity",
  sources: Object.fromEntries(names.map((name) => [name, { content: readFileSync(join(folder, name), "utf8") }])),
  settings: {
    optimizer: { enabled: true, runs: 200 },
    evmVersion: "shanghai",
    metadata: { appendCBOR: false, bytecodeHash: "none" },
    outputSelection: { "*": { "*": ["evm.bytecode.object"] } },
  },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
if (output.errors) {
  console.error(output.errors.map((e) => e.formattedMessage).join("\n")); // a warning counts as an error
  process.exit(1);
}
const code = Object.entries(output.contracts).map(([name, contracts]) => {
  const contract = Object.values(contracts).find((c) => c.evm.bytecode.object); // interfaces have no code
  return [name.slice(0, -".sol".length), contract.evm.bytecode.object];
});
console.log(JSON.stringify(Object.fromEntries(code)));
