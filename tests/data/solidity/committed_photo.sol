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
///   photo: 150528 x int8 from -127 to 127, at byte 0
///   logits: 1000 x int32 from -2147483648 to 2147483647, at byte 150528
/// @dev Points are laid out as EIP-196 and EIP-197 ask: x then y; in G2 the imaginary part of a coordinate comes
/// first; (0, 0) is infinity. The precompiles refuse coordinates that are not reduced, points off the curve and
/// points of G2 outside the subgroup. Proofs are malleable: never use one, or its hash, as an identifier.
contract Groth16Verifier {
    /// @notice What requireValidProof reverts with.
    error InvalidProof();

    // The order of the groups: a public input must be below it, or two inputs would stand for one field element.
    uint256 private constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

    // Names the verifying key and the layout of the packed values in every challenge.
    uint256 private constant KEY_DIGEST = 0xf49b226c7a981bffadc8ed8393f2c2af6efe0a90399b82193f48d75870d1aa61;

    // The verifying key, with alpha, gamma and delta negated.
    uint256 private constant ALPHA_X = 21442338419476187330991376139605542811698857909984767089445500081109255502113;
    uint256 private constant ALPHA_Y = 8915381605575963369636472495330736817039230738290166037628932422107406221779;
    uint256 private constant BETA_X_IM = 15134755629718908590948587907284627887201700528002536231245869541096970243110;
    uint256 private constant BETA_X_RE = 612397819299194237683718566211162065690299215254336718961806524873595412678;
    uint256 private constant BETA_Y_IM = 17667483583062482821534304031842364274949895029641173856057216030668837106958;
    uint256 private constant BETA_Y_RE = 2801070126351146777176802434689718732334772460353998554429941316840512643837;
    uint256 private constant GAMMA_X_IM = 5682604082506562242465568553609328189619206140736818721182550259897878548393;
    uint256 private constant GAMMA_X_RE = 18408039422871732517805024410928707341434535722432603851118924552193746820751;
    uint256 private constant GAMMA_Y_IM = 12902365787940255062630848938911670480120374793363536207613656273450296402063;
    uint256 private constant GAMMA_Y_RE = 20493007695824841789796376260575214039877116141333751432650500830916604172971;
    uint256 private constant DELTA_X_IM = 9748524432023001017514360805541347449045217656586521373391922327616850032484;
    uint256 private constant DELTA_X_RE = 7771566674931018941047541425145454102513706082184115033586791732391257382113;
    uint256 private constant DELTA_Y_IM = 7420608977400227650506055389874094400743228311304615728615589471616260780477;
    uint256 private constant DELTA_Y_RE = 8992487540012966065226963325175733102755107563523180535661313427994731294867;
    uint256 private constant SIGMA_X_IM = 6686475226123979500468226672424454278286596869890377635449022121848313422208;
    uint256 private constant SIGMA_X_RE = 3611207764530143828414889622473625840505729095133015004953023198543597652697;
    uint256 private constant SIGMA_Y_IM = 19147999950458588719094434386425607360081216005623794782229034551971875126502;
    uint256 private constant SIGMA_Y_RE = 11365561920271252100478431952034321978247181062640633057380089612907260106009;
    uint256 private constant IC0_X = 11693269795136138819797116342905174525192564733186219781366606030018899575461;
    uint256 private constant IC0_Y = 12701839071401787778140663953001781757563350511738368447698836638682777028894;
    uint256 private constant IC1_X = 6290047302170863773180632634498396543195419646546089913118951116732790980516;
    uint256 private constant IC1_Y = 11987935546848167564965619343703735566846700641505047332044117344194701374285;
    uint256 private constant IC2_X = 8271187247162274647832497129493810058587701287050825815019817187061789543337;
    uint256 private constant IC2_Y = 20993055840251772937720231685651580406432965408760902827615637374848225600918;
    uint256 private constant IC3_X = 9149771639842059341416195986511861995090176986733463508737462856752463066161;
    uint256 private constant IC3_Y = 16219955015928971359373249700192266426659221748901415353790700443651126963281;

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

            let ok := eq(calldatasize(), 154980)
            ok := and(ok, eq(calldataload(0x184), 0x1a0))
            ok := and(ok, eq(calldataload(0x1a4), 0x25ba0))

            mstore(0x080, KEY_DIGEST)
            calldatacopy(0x0a0, 0x104, 0x40)
            calldatacopy(0x0e0, 0x1c4, 0x25ba0)
            let state := keccak256(0x080, 0x25c00)
            mstore(0x00, state) // the word behind it is the number of a challenge
            mstore(0x20, 0)
            let c0 := mod(keccak256(0x00, 0x40), R)
            let s
            let outside
            s, outside := absorb8InRange(s, c0, R, 0x1c4, 0x24dc4, 0x8080808080808080808080808080808080808080808080808080808080808080, 0x0, 0xff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff)
            ok := and(ok, iszero(outside))
            s := absorb32(s, c0, R, 0x24dc4, 0x25d64, 0x8000000080000000800000008000000080000000800000008000000080000000)
            s := mod(s, R)

            mstore(0x080, state)
            calldatacopy(0x0a0, 0x004, 0x100)
            calldatacopy(0x1a0, 0x144, 0x40)
            let t := mod(keccak256(0x080, 0x160), R)

            mstore(0x200, IC0_X)
            mstore(0x220, IC0_Y)
            ok := accumulate(ok, c0, IC1_X, IC1_Y)
            mstore(0x20, 1)
            ok := accumulate(ok, mod(keccak256(0x00, 0x40), R), IC2_X, IC2_Y)
            ok := accumulate(ok, s, IC3_X, IC3_Y)
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
