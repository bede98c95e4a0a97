import { createRequire } from "node:module";
import hardhatEthers from "@nomicfoundation/hardhat-ethers";
import hardhatNodeTestRunner from "@nomicfoundation/hardhat-node-test-runner";

const require = createRequire(import.meta.url);

export default {
  plugins: [hardhatEthers, hardhatNodeTestRunner],
  paths: { sources: "./contracts" },
  solidity: {
    version: require("solc/package.json").version,
    path: require.resolve("solc/soljson.js"), // the compiler of npm; without this line Hardhat downloads one
    settings: { optimizer: { enabled: true, runs: 200 } },
  },
};
