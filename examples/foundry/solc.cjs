#!/usr/bin/env node
// The compiler of npm (`npm install solc`), called as forge calls its own: FOUNDRY_SOLC=./solc.cjs forge test
const { readFileSync, writeSync } = require("node:fs");
const solc = require("solc");

const answer = process.argv.includes("--version") ? solc.version() : solc.compile(readFileSync(0, "utf8"));
for (let rest = Buffer.from(answer + "\n"); rest.length; ) rest = rest.subarray(writeSync(1, rest));
