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
///   array 0: 200 x uint8 from 0 to 255, at byte 0
///   array 1: 200 x uint8 from 3 to 249, at byte 200
///   array 2: 200 x uint16 from 0 to 65535, at byte 400
///   array 3: 200 x uint16 from 3 to 65529, at byte 800
///   array 4: 200 x uint32 from 0 to 4294967295, at byte 1200
///   array 5: 200 x uint32 from 3 to 4294967289, at byte 2000
///   array 6: 200 x uint64 from 0 to 18446744073709551615, at byte 2800
///   array 7: 200 x uint64 from 3 to 18446744073709551609, at byte 4400
///   array 8: 200 x uint128 from 0 to 340282366920938463463374607431768211455, at byte 6000
///   array 9: 200 x uint128 from 3 to 340282366920938463463374607431768211449, at byte 9200
/// @dev Points are laid out as EIP-196 and EIP-197 ask: x then y; in G2 the imaginary part of a coordinate comes
/// first; (0, 0) is infinity. The precompiles refuse coordinates that are not reduced, points off the curve and
/// points of G2 outside the subgroup. Proofs are malleable: never use one, or its hash, as an identifier.
contract Groth16Verifier {
    /// @notice What requireValidProof reverts with.
    error InvalidProof();

    // The order of the groups: a public input must be below it, or two inputs would stand for one field element.
    uint256 private constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

    // Names the verifying key and the layout of the packed values in every challenge.
    uint256 private constant KEY_DIGEST = 0x22809bf8e83d46b2a964131986f2e054b52796245ab68bcc240d3d52fde822b5;

    // The verifying key, with alpha, gamma and delta negated.
    uint256 private constant ALPHA_X = 18440665831585193703546007052455663817619423314212806569748615338092349621184;
    uint256 private constant ALPHA_Y = 4560076615878276005761377847652832067845521670108355526093078598567741163024;
    uint256 private constant BETA_X_IM = 7175390053614293659895898055671724683435400061702642881129336740075337737082;
    uint256 private constant BETA_X_RE = 21877882890649035610065702109371827598692156092995252688986933026440287878561;
    uint256 private constant BETA_Y_IM = 8775393308382786736119541903715725295408717386837466777285140044955824896927;
    uint256 private constant BETA_Y_RE = 138169144662465361876901154853481473301636648183883626249616980428268857976;
    uint256 private constant GAMMA_X_IM = 1879606747847903139096527171464325178616507238419362720831661492545994752023;
    uint256 private constant GAMMA_X_RE = 11468492022363358678666490931701572565604832698657926437748341214780288056315;
    uint256 private constant GAMMA_Y_IM = 6148690327576974614572464562826955292307017048633109898751711926233008226872;
    uint256 private constant GAMMA_Y_RE = 6434481198628253391272149345907030439521640908474964208491886815447935419437;
    uint256 private constant DELTA_X_IM = 7698328145917295597967608311394583668566817184005571249034781210558801361032;
    uint256 private constant DELTA_X_RE = 10423780260679829917891598054162277113754234696558705658766187917822659138458;
    uint256 private constant DELTA_Y_IM = 5186765476852987852697618860192417800615828746678549839454931012570665409553;
    uint256 private constant DELTA_Y_RE = 18753452966315960099182129857267319247452430644044502740443979041370695603787;
    uint256 private constant SIGMA_X_IM = 16429967121421200097434674482682098703695211764105290943130634451215092834617;
    uint256 private constant SIGMA_X_RE = 1299063138326618995053453615466719754724691540714765292555945376368539771072;
    uint256 private constant SIGMA_Y_IM = 20605503673080126054944544092273682026870475827118162744462044235464712773391;
    uint256 private constant SIGMA_Y_RE = 15307681590497728546905233244875469594642639847436949433458099107657696255395;
    uint256 private constant IC0_X = 20963237925999473784602455741607782662884278966729110857289366735023021511877;
    uint256 private constant IC0_Y = 4319115319186937988422961277352119592191274162311756605273460161482821880923;
    uint256 private constant IC1_X = 472811568027879277750697775448849383064316159398197522663966816958194226796;
    uint256 private constant IC1_Y = 15303845701458700273523537596048424987149998375146770624834735003950696406769;
    uint256 private constant IC2_X = 15571559675738132741602595075302569607186801330610375274850522386897883263030;
    uint256 private constant IC2_Y = 18025260460722845858260092273006741480935411315940176275773258076748599418618;

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

            // Continues the digest s with values of 2 bytes, from `from` to `to`.
            function absorb16(s, x, r, from, to, flip) -> digest {
                digest := s
                for { } iszero(gt(add(from, 32), to)) { from := add(from, 32) } {
                    let word := xor(calldataload(from), flip)
                    digest := add(mulmod(digest, x, r), and(shr(240, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(224, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(208, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(192, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(176, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(160, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(144, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(128, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(112, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(96, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(80, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(64, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(48, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(32, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(16, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(0, word), 0xffff))
                }
                for { } lt(from, to) { from := add(from, 2) } {
                    let value := shr(240, xor(calldataload(from), flip))
                    digest := add(mulmod(digest, x, r), value)
                }
            }

            // Continues the digest s with values of 2 bytes, from `from` to `to`. Every second value of
            // a word is taken at once, so that each has as many bits again above its own: the first of them is set in
            // the sum with `above` if the value is too large, and clear in the sum with `below` if it is too small.
            function absorb16InRange(s, x, r, from, to, flip, above, below) -> digest, outside {
                digest := s
                for { } iszero(gt(add(from, 32), to)) { from := add(from, 32) } {
                    let word := xor(calldataload(from), flip)
                    { let values := and(word, 0xffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff)
                    outside := or(outside, and(or(add(values, above), not(add(values, below))), 0x1000000010000000100000001000000010000000100000001000000010000)) }
                    { let values := and(shr(16, word), 0xffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff)
                    outside := or(outside, and(or(add(values, above), not(add(values, below))), 0x1000000010000000100000001000000010000000100000001000000010000)) }
                    digest := add(mulmod(digest, x, r), and(shr(240, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(224, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(208, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(192, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(176, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(160, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(144, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(128, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(112, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(96, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(80, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(64, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(48, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(32, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(16, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(0, word), 0xffff))
                }
                for { } lt(from, to) { from := add(from, 2) } {
                    let value := shr(240, xor(calldataload(from), flip))
                    outside := or(outside, and(or(add(value, above), not(add(value, below))), 0x10000))
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

            // Continues the digest s with values of 4 bytes, from `from` to `to`. Every second value of
            // a word is taken at once, so that each has as many bits again above its own: the first of them is set in
            // the sum with `above` if the value is too large, and clear in the sum with `below` if it is too small.
            function absorb32InRange(s, x, r, from, to, flip, above, below) -> digest, outside {
                digest := s
                for { } iszero(gt(add(from, 32), to)) { from := add(from, 32) } {
                    let word := xor(calldataload(from), flip)
                    { let values := and(word, 0xffffffff00000000ffffffff00000000ffffffff00000000ffffffff)
                    outside := or(outside, and(or(add(values, above), not(add(values, below))), 0x100000000000000010000000000000001000000000000000100000000)) }
                    { let values := and(shr(32, word), 0xffffffff00000000ffffffff00000000ffffffff00000000ffffffff)
                    outside := or(outside, and(or(add(values, above), not(add(values, below))), 0x100000000000000010000000000000001000000000000000100000000)) }
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
                    outside := or(outside, and(or(add(value, above), not(add(value, below))), 0x100000000))
                    digest := add(mulmod(digest, x, r), value)
                }
            }

            // Continues the digest s with values of 8 bytes, from `from` to `to`.
            function absorb64(s, x, r, from, to, flip) -> digest {
                digest := s
                for { } iszero(gt(add(from, 32), to)) { from := add(from, 32) } {
                    let word := xor(calldataload(from), flip)
                    digest := add(mulmod(digest, x, r), and(shr(192, word), 0xffffffffffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(128, word), 0xffffffffffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(64, word), 0xffffffffffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(0, word), 0xffffffffffffffff))
                }
                for { } lt(from, to) { from := add(from, 8) } {
                    let value := shr(192, xor(calldataload(from), flip))
                    digest := add(mulmod(digest, x, r), value)
                }
            }

            // Continues the digest s with values of 8 bytes, from `from` to `to`. Every second value of
            // a word is taken at once, so that each has as many bits again above its own: the first of them is set in
            // the sum with `above` if the value is too large, and clear in the sum with `below` if it is too small.
            function absorb64InRange(s, x, r, from, to, flip, above, below) -> digest, outside {
                digest := s
                for { } iszero(gt(add(from, 32), to)) { from := add(from, 32) } {
                    let word := xor(calldataload(from), flip)
                    { let values := and(word, 0xffffffffffffffff0000000000000000ffffffffffffffff)
                    outside := or(outside, and(or(add(values, above), not(add(values, below))), 0x1000000000000000000000000000000010000000000000000)) }
                    { let values := and(shr(64, word), 0xffffffffffffffff0000000000000000ffffffffffffffff)
                    outside := or(outside, and(or(add(values, above), not(add(values, below))), 0x1000000000000000000000000000000010000000000000000)) }
                    digest := add(mulmod(digest, x, r), and(shr(192, word), 0xffffffffffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(128, word), 0xffffffffffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(64, word), 0xffffffffffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(0, word), 0xffffffffffffffff))
                }
                for { } lt(from, to) { from := add(from, 8) } {
                    let value := shr(192, xor(calldataload(from), flip))
                    outside := or(outside, and(or(add(value, above), not(add(value, below))), 0x10000000000000000))
                    digest := add(mulmod(digest, x, r), value)
                }
            }

            // Continues the digest s with values of 16 bytes, from `from` to `to`.
            function absorb128(s, x, r, from, to, flip) -> digest {
                digest := s
                for { } iszero(gt(add(from, 32), to)) { from := add(from, 32) } {
                    let word := xor(calldataload(from), flip)
                    digest := add(mulmod(digest, x, r), and(shr(128, word), 0xffffffffffffffffffffffffffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(0, word), 0xffffffffffffffffffffffffffffffff))
                }
                for { } lt(from, to) { from := add(from, 16) } {
                    let value := shr(128, xor(calldataload(from), flip))
                    digest := add(mulmod(digest, x, r), value)
                }
            }

            // Continues the digest s with values of 16 bytes, from `from` to `to`. Every second value of
            // a word is taken at once, so that each has as many bits again above its own: the first of them is set in
            // the sum with `above` if the value is too large, and clear in the sum with `below` if it is too small.
            function absorb128InRange(s, x, r, from, to, flip, above, below) -> digest, outside {
                digest := s
                for { } iszero(gt(add(from, 32), to)) { from := add(from, 32) } {
                    let word := xor(calldataload(from), flip)
                    { let values := and(word, 0xffffffffffffffffffffffffffffffff)
                    outside := or(outside, and(or(add(values, above), not(add(values, below))), 0x100000000000000000000000000000000)) }
                    { let values := and(shr(128, word), 0xffffffffffffffffffffffffffffffff)
                    outside := or(outside, and(or(add(values, above), not(add(values, below))), 0x100000000000000000000000000000000)) }
                    digest := add(mulmod(digest, x, r), and(shr(128, word), 0xffffffffffffffffffffffffffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(0, word), 0xffffffffffffffffffffffffffffffff))
                }
                for { } lt(from, to) { from := add(from, 16) } {
                    let value := shr(128, xor(calldataload(from), flip))
                    outside := or(outside, and(or(add(value, above), not(add(value, below))), 0x100000000000000000000000000000000))
                    digest := add(mulmod(digest, x, r), value)
                }
            }

            let ok := eq(calldatasize(), 12868)
            ok := and(ok, eq(calldataload(0x184), 0x1a0))
            ok := and(ok, eq(calldataload(0x1a4), 0x3070))

            mstore(0x080, KEY_DIGEST)
            calldatacopy(0x0a0, 0x104, 0x40)
            calldatacopy(0x0e0, 0x1c4, 0x3070)
            let state := keccak256(0x080, 0x30d0)
            mstore(0x00, state) // the word behind it is the number of a challenge
            mstore(0x20, 0)
            let c0 := mod(keccak256(0x00, 0x40), R)
            let s
            let outside
            s := absorb8(s, c0, R, 0x1c4, 0x28c, 0)
            s, outside := absorb8InRange(s, c0, R, 0x28c, 0x354, 0, 0x6000600060006000600060006000600060006000600060006000600060006, 0xfd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd)
            ok := and(ok, iszero(outside))
            s := absorb16(s, c0, R, 0x354, 0x4e4, 0)
            s, outside := absorb16InRange(s, c0, R, 0x4e4, 0x674, 0, 0x600000006000000060000000600000006000000060000000600000006, 0xfffd0000fffd0000fffd0000fffd0000fffd0000fffd0000fffd0000fffd)
            ok := and(ok, iszero(outside))
            s := absorb32(s, c0, R, 0x674, 0x994, 0)
            s, outside := absorb32InRange(s, c0, R, 0x994, 0xcb4, 0, 0x6000000000000000600000000000000060000000000000006, 0xfffffffd00000000fffffffd00000000fffffffd00000000fffffffd)
            ok := and(ok, iszero(outside))
            s := absorb64(s, c0, R, 0xcb4, 0x12f4, 0)
            s, outside := absorb64InRange(s, c0, R, 0x12f4, 0x1934, 0, 0x600000000000000000000000000000006, 0xfffffffffffffffd0000000000000000fffffffffffffffd)
            ok := and(ok, iszero(outside))
            s := absorb128(s, c0, R, 0x1934, 0x25b4, 0)
            s, outside := absorb128InRange(s, c0, R, 0x25b4, 0x3234, 0, 0x6, 0xfffffffffffffffffffffffffffffffd)
            ok := and(ok, iszero(outside))
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
