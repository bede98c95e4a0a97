import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { beforeEach, test } from "node:test";
import { getBytes, hexlify } from "ethers";
import { network } from "hardhat";

const PIXELS = 64, DIGITS = 10, DIGIT = 3;
const PACKED = 4 + 32 * 14; // where the packed values begin, behind their offset and length
const call = getBytes(readFileSync(new URL("calldata.txt", import.meta.url), "utf8").trim());

const { ethers } = await network.create();
const [sender, other] = await ethers.getSigners(); // prove.sh proves for the first one
let verifier, vault;

beforeEach(async () => {
  verifier = await ethers.deployContract("Groth16Verifier");
  vault = await ethers.deployContract("ClassifiedVault", [await verifier.getAddress(), PIXELS, DIGITS, DIGIT]);
});

/** The verifier's answer; false where it reverts. */
async function accepts(data) {
  const to = await verifier.getAddress();
  return ethers.provider.call({ to, data: hexlify(data) }).then(answer => BigInt(answer) === 1n, () => false);
}

/** The call with the last bit of a byte changed. */
const altered = place => call.map((byte, i) => (i === place ? byte ^ 1 : byte));

/** `open` has verifyProof's arguments. */
const open = by => vault.connect(by).open(...verifier.interface.decodeFunctionData("verifyProof", call).toArray(true));

test("the true proof is accepted", async () => {
  assert.equal(await accepts(call), true);
});

test("an altered proof is refused", async () => {
  for (let word = 0; word < 12; word++) assert.equal(await accepts(altered(4 + 32 * word + 31)), false);
});

test("another pixel, score or sender is refused", async () => {
  for (let i = 0; i < PIXELS + 4 * 10 + 20; i++) assert.equal(await accepts(altered(PACKED + i)), false);
});

test("the vault opens once for its sender", async () => {
  await assert.rejects(open(other), /MadeForAnother/);
  await (await open(sender)).wait();
  await assert.rejects(open(sender), /InputUsedBefore/);
});
