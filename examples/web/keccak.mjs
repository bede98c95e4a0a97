// Keccak-256 as Ethereum has it (the padding of Keccak's submission, not that of SHA-3), on halves of 32 bits.

const RATE = 136; // bytes

// rotations of the lanes in the order in which rho and pi visit them, the lanes, and the round constants of iota
const ROTATIONS = [], LANES = [], CONSTANTS = [];
for (let x = 1, y = 0, t = 0; t < 24; t++) {
  ROTATIONS.push((((t + 1) * (t + 2)) / 2) % 64);
  [x, y] = [y, (2 * x + 3 * y) % 5];
  LANES.push(x + 5 * y);
}
for (let round = 0, register = 1; round < 24; round++) {
  const constant = [0, 0]; // low, high
  for (let j = 0; j < 7; j++) {
    const bit = (1 << j) - 1;
    if (register & 1) constant[bit >> 5] |= 1 << (bit & 31);
    register = register & 0x80 ? ((register << 1) ^ 0x171) & 0xff : register << 1;
  }
  CONSTANTS.push(constant);
}

function permute(low, high) {
  const c = new Int32Array(10), rowLow = new Int32Array(5), rowHigh = new Int32Array(5);
  for (const [constantLow, constantHigh] of CONSTANTS) {
    for (let x = 0; x < 5; x++) {
      c[x] = low[x] ^ low[x + 5] ^ low[x + 10] ^ low[x + 15] ^ low[x + 20];
      c[x + 5] = high[x] ^ high[x + 5] ^ high[x + 10] ^ high[x + 15] ^ high[x + 20];
    }
    for (let x = 0; x < 5; x++) {
      const next = (x + 1) % 5, last = (x + 4) % 5;
      const l = c[last] ^ ((c[next] << 1) | (c[next + 5] >>> 31));
      const h = c[last + 5] ^ ((c[next + 5] << 1) | (c[next] >>> 31));
      for (let y = x; y < 25; y += 5) {
        low[y] ^= l;
        high[y] ^= h;
      }
    }
    let l = low[1], h = high[1];
    for (let t = 0; t < 24; t++) {
      const lane = LANES[t];
      let a = l, b = h, shift = ROTATIONS[t];
      if (shift >= 32) [a, b, shift] = [h, l, shift - 32];
      const turnedLow = shift ? (a << shift) | (b >>> (32 - shift)) : a;
      const turnedHigh = shift ? (b << shift) | (a >>> (32 - shift)) : b;
      [l, h] = [low[lane], high[lane]];
      [low[lane], high[lane]] = [turnedLow, turnedHigh];
    }
    for (let y = 0; y < 25; y += 5) {
      for (let x = 0; x < 5; x++) [rowLow[x], rowHigh[x]] = [low[y + x], high[y + x]];
      for (let x = 0; x < 5; x++) {
        low[y + x] = rowLow[x] ^ (~rowLow[(x + 1) % 5] & rowLow[(x + 2) % 5]);
        high[y + x] = rowHigh[x] ^ (~rowHigh[(x + 1) % 5] & rowHigh[(x + 2) % 5]);
      }
    }
    low[0] ^= constantLow;
    high[0] ^= constantHigh;
  }
}

/** The 32 bytes of Keccak-256 over the bytes of all parts. */
export function keccak256(...parts) {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const padded = new Uint8Array(RATE * (Math.floor(size / RATE) + 1));
  let at = 0;
  for (const part of parts) {
    padded.set(part, at);
    at += part.length;
  }
  padded[size] ^= 1;
  padded[padded.length - 1] ^= 0x80;
  const low = new Int32Array(25), high = new Int32Array(25), words = new DataView(padded.buffer);
  for (let block = 0; block < padded.length; block += RATE) {
    for (let lane = 0; lane < RATE / 8; lane++) {
      low[lane] ^= words.getInt32(block + 8 * lane, true);
      high[lane] ^= words.getInt32(block + 8 * lane + 4, true);
    }
    permute(low, high);
  }
  const out = new DataView(new ArrayBuffer(32));
  for (let lane = 0; lane < 4; lane++) {
    out.setInt32(8 * lane, low[lane], true);
    out.setInt32(8 * lane + 4, high[lane], true);
  }
  return new Uint8Array(out.buffer);
}
