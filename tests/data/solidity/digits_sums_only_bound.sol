// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.8.4 <0.9.0;

/// @title Groth16 verifier over BN254 (alt_bn128) with a commitment, written by zkgpu. Public inputs: 0
/// @notice Tells whether a proof (A, B, C, D, pi) is valid for one verifying key, that is whether
///   e(A, B) * e(-alpha, beta) * e(vk_x + D + t * pi, -gamma) * e(C, -delta) * e(t * D, sigma) = 1
/// D commits to values of the circuit, and pi shows that its maker knows them (https://eprint.iacr.org/2022/1072):
/// the product is that of Groth16's equation and of e(D, sigma) = e(pi, gamma) to the power t, a hash of all the rest.
/// Further public inputs of the circuit are computed here, as the prover must not choose them:
///   state = keccak256(key digest, D, public inputs, packed values), challenge k = keccak256(state, k) modulo R
/// and the digest s of the packed values, the polynomial with them as coefficients, at challenge 0, the first
/// value with the highest power, two's complement shifted to start at 0. The packed values are, in this order:
///   pixels: 64 x uint8 from 0 to 16, at byte 0
///   scores: 10 x int32 from -2147483648 to 2147483647, at byte 64
///   binding: 20 x uint8 from 0 to 255, at byte 104
/// @dev Points are laid out as EIP-196 and EIP-197 ask: x then y; in G2 the imaginary part of a coordinate comes
/// first; (0, 0) is infinity. The precompiles refuse coordinates that are not reduced, points off the curve and
/// points of G2 outside the subgroup. Proofs are malleable: never use one, or its hash, as an identifier.
contract Groth16Verifier {
    /// @notice What requireValidProof reverts with.
    error InvalidProof();

    // The order of the groups: a public input must be below it, or two inputs would stand for one field element.
    uint256 private constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

    // Names the verifying key and the layout of the packed values in every challenge.
    uint256 private constant KEY_DIGEST = 0xa5193f50a1dbe5452ced52816d5abb63d302b5ade8df798cb970086e7e830534;

    // The verifying key, with alpha, gamma and delta negated.
    uint256 private constant ALPHA_X = 0xa5f4654a10a6434a96c283dadfbfd1fefd3f6d99f467ac09e7d56148c5ec2c83;
    uint256 private constant ALPHA_Y = 0xa596eb9ffdac4f499c02603994f762bf585ebc5f6dc7ac5ad6d67a9bb72106ac;
    uint256 private constant BETA_X_IM = 0xa545e4060f1738e54cdff3e61efb01e3e3c5d227dfccdfe719f89b0f9c3be29a;
    uint256 private constant BETA_X_RE = 0xa5edd73d61ece3b23f66ffefe80d4ff2dab2e1a6c8974d3c2d6dae27c0764283;
    uint256 private constant BETA_Y_IM = 0xa5024b5a3245ba43cc10f0a143fe6f42c22dd891c9ccceddf9f5d3d9b8adef1c;
    uint256 private constant BETA_Y_RE = 0xa5bcb59113498c15eb17a483a8dd71017bb3a8b9b00fe5c10e542489b5552e64;
    uint256 private constant GAMMA_X_IM = 0xa5cff68acfcd81caaad673e8e53cba9ef0821e416681a5f35a9bc835c593b9e8;
    uint256 private constant GAMMA_X_RE = 0xa5d954be69510e9b39d8c82986c7823b090e42417d29e5b6cc2a6b1908580032;
    uint256 private constant GAMMA_Y_IM = 0xa5ee76799b8b4ed60f5513a5582badb3f71babd1740ab78559ac560cb1a57b59;
    uint256 private constant GAMMA_Y_RE = 0xa51abaf9370f0a8063906857b1fa71ead3702c95e3846aad11a76bf7f3890c7b;
    uint256 private constant DELTA_X_IM = 0xa5434b162d659967207e87a133efe409275a38ea90847b30ab23ec2d5e503b58;
    uint256 private constant DELTA_X_RE = 0xa585892d408f06aff9c9ce7f4db403eb0c7455d5ce10f672c852fb8db9025410;
    uint256 private constant DELTA_Y_IM = 0xa5cca7efea156825843dbac1c461a836b47550dde1c9ca9200840a8db6ff557f;
    uint256 private constant DELTA_Y_RE = 0xa56d6b987ad8eeae68ac61c7546c65a046b39841870a6d13674d1ffb5fed0827;
    uint256 private constant SIGMA_X_IM = 0xa5ed40598bd9b5facd41a0d9f84291f3722eadc193f35fb9fa9ca2a49a92710d;
    uint256 private constant SIGMA_X_RE = 0xa524e3124441f5694ec95b30e8f708fe5acc8f4992db0f42b3c5dd4aa4bb7b63;
    uint256 private constant SIGMA_Y_IM = 0xa5b923993ddb259ed0d5ea69f362dc6ad445ec3e17ef7ae345c8851bfb8ade17;
    uint256 private constant SIGMA_Y_RE = 0xa534634d213f981d6cf7688a275cbbc65cd1a9659db80ffeae65611cb2e121c2;
    uint256 private constant IC0_X = 0xa50185b3f1153f15a62b75f553fbd0471ee17fec6a77b843c0ed69ee401453c2;
    uint256 private constant IC0_Y = 0xa5727958418d40daad5d53dc6e0df1a4bb90bf1fa9a257647485a9e48e20a89f;
    uint256 private constant IC1_X = 0xa5587395cb0f5af412bc996fdedb0649c721e3b6daf1f0637beea2d768421a30;
    uint256 private constant IC1_Y = 0xa55b9001fb04a41c42a91cb1ea22c6e6f7f7f2c635240e478ca44fbb4383beea;
    uint256 private constant IC2_X = 0xa5a140e729d033488545736a5a49f754a70096b7d478acde596853a5c2737810;
    uint256 private constant IC2_Y = 0xa5c924fac1810ccad332ec09e124ddbb9be52ecb58e3f9dc5bbc8fd907492181;

    /// @notice Whether the proof is valid for the public values.
    /// @dev Gives false, and does not revert, on numbers out of range, points off their curve, bytes after the last
    /// argument, and too little gas: do not take the gas limit from eth_estimateGas, whose search is content with a
    /// call that gives false.
    /// @param a The point A.
    /// @param b The point B, imaginary parts first.
    /// @param c The point C.
    /// @param commitment The point D.
    /// @param knowledge The point pi.
    /// @param packed The packed values.
    function verifyProof(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[2] calldata commitment,
        uint256[2] calldata knowledge,
        bytes calldata packed
    ) external view returns (bool) {
        return _isValid(a, b, c, commitment, knowledge, packed);
    }

    /// @notice Reverts with InvalidProof unless verifyProof would give true.
    /// @dev Its gas can be estimated: too little gas reverts.
    function requireValidProof(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[2] calldata commitment,
        uint256[2] calldata knowledge,
        bytes calldata packed
    ) external view {
        if (!_isValid(a, b, c, commitment, knowledge, packed)) revert InvalidProof();
    }

    // The arguments lie where the ABI puts them: A at 0x004, B at 0x044, C at 0x0c4, D at 0x104, pi at 0x144, then the
    // public inputs, then the packed values. Sizes and offsets are compared with that, so nothing else is read.
    function _isValid(
        uint256[2] calldata,
        uint256[2][2] calldata,
        uint256[2] calldata,
        uint256[2] calldata,
        uint256[2] calldata,
        bytes calldata
    ) private view returns (bool valid) {
        assembly {
            // The pairing's input, five pairs of six words, fills memory from 0x080 to 0x43f: nothing was allocated
            // there, as this function is only entered from outside. What is hashed is there before. Until -gamma is
            // written behind it, vk_x at 0x200 is a running sum, and 0x240 to 0x29f holds the term that comes next.

            // Nothing is asked of a precompile once something was wrong: a failure takes 63 of 64 parts of the gas.

            // Adds the point at 0x240 to vk_x. A call to an address without a precompile succeeds and returns
            // nothing: hence the sizes.
            function accumulatePoint(before) -> ok {
                if before {
                    ok := staticcall(gas(), 0x06, 0x200, 0x80, 0x200, 0x40)
                    ok := and(ok, eq(returndatasize(), 0x40))
                }
            }

            // Adds s * (x, y) to vk_x; 0 if s is out of range or a precompile fails.
            function accumulate(before, s, x, y) -> ok {
                if and(before, lt(s, R)) {
                    mstore(0x240, x)
                    mstore(0x260, y)
                    mstore(0x280, s)
                    ok := staticcall(gas(), 0x07, 0x240, 0x60, 0x240, 0x40)
                    ok := accumulatePoint(and(ok, eq(returndatasize(), 0x40)))
                }
            }

            // Continues the digest s with values of 1 bytes, from `from` to `to`. Every second value of
            // a word is taken at once, so that each has as many bits again above its own: the first of them is set in
            // the sum with `above` if the value is too large, and clear in the sum with `below` if it is too small.
            function absorb8InRange(s, x, r, from, to, flip, above, below) -> digest, outside {
                digest := s
                for { } iszero(gt(add(from, 32), to)) { from := add(from, 32) } {
                    let word := xor(calldataload(from), flip)
                    { let values := and(word, 0xff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff)
                    outside := or(outside, and(or(add(values, above), not(add(values, below))), 0x100010001000100010001000100010001000100010001000100010001000100)) }
                    { let values := and(shr(8, word), 0xff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff)
                    outside := or(outside, and(or(add(values, above), not(add(values, below))), 0x100010001000100010001000100010001000100010001000100010001000100)) }
                    digest := add(mulmod(digest, x, r), byte(0, word))
                    digest := add(mulmod(digest, x, r), byte(1, word))
                    digest := add(mulmod(digest, x, r), byte(2, word))
                    digest := add(mulmod(digest, x, r), byte(3, word))
                    digest := add(mulmod(digest, x, r), byte(4, word))
                    digest := add(mulmod(digest, x, r), byte(5, word))
                    digest := add(mulmod(digest, x, r), byte(6, word))
                    digest := add(mulmod(digest, x, r), byte(7, word))
                    digest := add(mulmod(digest, x, r), byte(8, word))
                    digest := add(mulmod(digest, x, r), byte(9, word))
                    digest := add(mulmod(digest, x, r), byte(10, word))
                    digest := add(mulmod(digest, x, r), byte(11, word))
                    digest := add(mulmod(digest, x, r), byte(12, word))
                    digest := add(mulmod(digest, x, r), byte(13, word))
                    digest := add(mulmod(digest, x, r), byte(14, word))
                    digest := add(mulmod(digest, x, r), byte(15, word))
                    digest := add(mulmod(digest, x, r), byte(16, word))
                    digest := add(mulmod(digest, x, r), byte(17, word))
                    digest := add(mulmod(digest, x, r), byte(18, word))
                    digest := add(mulmod(digest, x, r), byte(19, word))
                    digest := add(mulmod(digest, x, r), byte(20, word))
                    digest := add(mulmod(digest, x, r), byte(21, word))
                    digest := add(mulmod(digest, x, r), byte(22, word))
                    digest := add(mulmod(digest, x, r), byte(23, word))
                    digest := add(mulmod(digest, x, r), byte(24, word))
                    digest := add(mulmod(digest, x, r), byte(25, word))
                    digest := add(mulmod(digest, x, r), byte(26, word))
                    digest := add(mulmod(digest, x, r), byte(27, word))
                    digest := add(mulmod(digest, x, r), byte(28, word))
                    digest := add(mulmod(digest, x, r), byte(29, word))
                    digest := add(mulmod(digest, x, r), byte(30, word))
                    digest := add(mulmod(digest, x, r), byte(31, word))
                }
                for { } lt(from, to) { from := add(from, 1) } {
                    let value := shr(248, xor(calldataload(from), flip))
                    outside := or(outside, and(or(add(value, above), not(add(value, below))), 0x100))
                    digest := add(mulmod(digest, x, r), value)
                }
            }

            // Continues the digest s with values of 4 bytes, from `from` to `to`.
            function absorb32(s, x, r, from, to, flip) -> digest {
                digest := s
                for { } iszero(gt(add(from, 32), to)) { from := add(from, 32) } {
                    let word := xor(calldataload(from), flip)
                    digest := add(mulmod(digest, x, r), and(shr(224, word), 0xffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(192, word), 0xffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(160, word), 0xffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(128, word), 0xffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(96, word), 0xffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(64, word), 0xffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(32, word), 0xffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(0, word), 0xffffffff))
                }
                for { } lt(from, to) { from := add(from, 4) } {
                    let value := shr(224, xor(calldataload(from), flip))
                    digest := add(mulmod(digest, x, r), value)
                }
            }

            // Continues the digest s with values of 1 bytes, from `from` to `to`.
            function absorb8(s, x, r, from, to, flip) -> digest {
                digest := s
                for { } iszero(gt(add(from, 32), to)) { from := add(from, 32) } {
                    let word := xor(calldataload(from), flip)
                    digest := add(mulmod(digest, x, r), byte(0, word))
                    digest := add(mulmod(digest, x, r), byte(1, word))
                    digest := add(mulmod(digest, x, r), byte(2, word))
                    digest := add(mulmod(digest, x, r), byte(3, word))
                    digest := add(mulmod(digest, x, r), byte(4, word))
                    digest := add(mulmod(digest, x, r), byte(5, word))
                    digest := add(mulmod(digest, x, r), byte(6, word))
                    digest := add(mulmod(digest, x, r), byte(7, word))
                    digest := add(mulmod(digest, x, r), byte(8, word))
                    digest := add(mulmod(digest, x, r), byte(9, word))
                    digest := add(mulmod(digest, x, r), byte(10, word))
                    digest := add(mulmod(digest, x, r), byte(11, word))
                    digest := add(mulmod(digest, x, r), byte(12, word))
                    digest := add(mulmod(digest, x, r), byte(13, word))
                    digest := add(mulmod(digest, x, r), byte(14, word))
                    digest := add(mulmod(digest, x, r), byte(15, word))
                    digest := add(mulmod(digest, x, r), byte(16, word))
                    digest := add(mulmod(digest, x, r), byte(17, word))
                    digest := add(mulmod(digest, x, r), byte(18, word))
                    digest := add(mulmod(digest, x, r), byte(19, word))
                    digest := add(mulmod(digest, x, r), byte(20, word))
                    digest := add(mulmod(digest, x, r), byte(21, word))
                    digest := add(mulmod(digest, x, r), byte(22, word))
                    digest := add(mulmod(digest, x, r), byte(23, word))
                    digest := add(mulmod(digest, x, r), byte(24, word))
                    digest := add(mulmod(digest, x, r), byte(25, word))
                    digest := add(mulmod(digest, x, r), byte(26, word))
                    digest := add(mulmod(digest, x, r), byte(27, word))
                    digest := add(mulmod(digest, x, r), byte(28, word))
                    digest := add(mulmod(digest, x, r), byte(29, word))
                    digest := add(mulmod(digest, x, r), byte(30, word))
                    digest := add(mulmod(digest, x, r), byte(31, word))
                }
                for { } lt(from, to) { from := add(from, 1) } {
                    let value := shr(248, xor(calldataload(from), flip))
                    digest := add(mulmod(digest, x, r), value)
                }
            }

            let ok := eq(calldatasize(), 580)
            ok := and(ok, eq(calldataload(0x184), 0x1a0))
            ok := and(ok, eq(calldataload(0x1a4), 0x7c))

            mstore(0x080, KEY_DIGEST)
            calldatacopy(0x0a0, 0x104, 0x40)
            calldatacopy(0x0e0, 0x1c4, 0x7c)
            let state := keccak256(0x080, 0xdc)
            mstore(0x00, state) // the word behind it is the number of a challenge
            mstore(0x20, 0)
            let c0 := mod(keccak256(0x00, 0x40), R)
            let s
            let outside
            s, outside := absorb8InRange(s, c0, R, 0x1c4, 0x204, 0, 0xef00ef00ef00ef00ef00ef00ef00ef00ef00ef00ef00ef00ef00ef00ef00ef, 0x100010001000100010001000100010001000100010001000100010001000100)
            ok := and(ok, iszero(outside))
            s := absorb32(s, c0, R, 0x204, 0x22c, 0x8000000080000000800000008000000080000000800000008000000080000000)
            s := absorb8(s, c0, R, 0x22c, 0x240, 0)
            s := mod(s, R)

            mstore(0x080, state)
            calldatacopy(0x0a0, 0x004, 0x100)
            calldatacopy(0x1a0, 0x144, 0x40)
            let t := mod(keccak256(0x080, 0x160), R)

            mstore(0x200, IC0_X)
            mstore(0x220, IC0_Y)
            ok := accumulate(ok, c0, IC1_X, IC1_Y)
            ok := accumulate(ok, s, IC2_X, IC2_Y)
            ok := accumulate(ok, t, calldataload(0x144), calldataload(0x164))
            calldatacopy(0x240, 0x104, 0x40)
            ok := accumulatePoint(ok)
            if ok {
                calldatacopy(0x380, 0x104, 0x40)
                mstore(0x3c0, t)
                ok := staticcall(gas(), 0x07, 0x380, 0x60, 0x380, 0x40)
                ok := and(ok, eq(returndatasize(), 0x40))
            }
            if ok {
                calldatacopy(0x080, 0x004, 0xc0)
                mstore(0x140, ALPHA_X)
                mstore(0x160, ALPHA_Y)
                mstore(0x180, BETA_X_IM)
                mstore(0x1a0, BETA_X_RE)
                mstore(0x1c0, BETA_Y_IM)
                mstore(0x1e0, BETA_Y_RE)
                mstore(0x240, GAMMA_X_IM)
                mstore(0x260, GAMMA_X_RE)
                mstore(0x280, GAMMA_Y_IM)
                mstore(0x2a0, GAMMA_Y_RE)
                calldatacopy(0x2c0, 0x0c4, 0x40)
                mstore(0x300, DELTA_X_IM)
                mstore(0x320, DELTA_X_RE)
                mstore(0x340, DELTA_Y_IM)
                mstore(0x360, DELTA_Y_RE)
                mstore(0x3c0, SIGMA_X_IM)
                mstore(0x3e0, SIGMA_X_RE)
                mstore(0x400, SIGMA_Y_IM)
                mstore(0x420, SIGMA_Y_RE)
                // The word that comes back is the only thing that can make the proof valid.
                ok := staticcall(gas(), 0x08, 0x080, 0x3c0, 0x00, 0x20)
                ok := and(ok, eq(returndatasize(), 0x20))
                valid := and(ok, eq(mload(0x00), 1))
            }
        }
    }
}
