pragma circom 2.0.0;

include "circomlib/circuits/sha256/sha256.circom";
include "circomlib/circuits/bitify.circom";

// The digest of a secret message, as two numbers of 128 bits: nearly all signals are bits.
template DigestOf(bytes) {
    signal input message[bytes];
    signal output digest[2];
    component bits[bytes];
    component hash = Sha256(8 * bytes);
    component halves[2];
    for (var i = 0; i < bytes; i++) {
        bits[i] = Num2Bits(8);
        bits[i].in <== message[i];
        for (var j = 0; j < 8; j++) {
            hash.in[8 * i + j] <== bits[i].out[7 - j];
        }
    }
    for (var h = 0; h < 2; h++) {
        halves[h] = Bits2Num(128);
        for (var j = 0; j < 128; j++) {
            halves[h].in[127 - j] <== hash.out[128 * h + j];
        }
        digest[h] <== halves[h].out;
    }
}
