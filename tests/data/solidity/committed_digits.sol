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
///   image: 64 x int8 from -128 to 127, at byte 0
///   logits: 10 x int32 from -2147483648 to 2147483647, at byte 64
/// @dev Points are laid out as EIP-196 and EIP-197 ask: x then y; in G2 the imaginary part of a coordinate comes
/// first; (0, 0) is infinity. The precompiles refuse coordinates that are not reduced, points off the curve and
/// points of G2 outside the subgroup. Proofs are malleable: never use one, or its hash, as an identifier.
contract Groth16Verifier {
    /// @notice What requireValidProof reverts with.
    error InvalidProof();

    // The order of the groups: a public input must be below it, or two inputs would stand for one field element.
    uint256 private constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

    // Names the verifying key and the layout of the packed values in every challenge.
    uint256 private constant KEY_DIGEST = 0xc85540aa9bfe725265ad63cfd70ba733e5e4cf4a7a4d0e5abd811ae64b12090f;

    // The verifying key, with alpha, gamma and delta negated.
    uint256 private constant ALPHA_X = 14090481611235018625693594899616536043564222882250422636573263479577260058484;
    uint256 private constant ALPHA_Y = 10726225379499790566375297871438326086410040509376172359666698415832601635184;
    uint256 private constant BETA_X_IM = 13421224350721103294611510127724969135782205120420671883236412509441040705771;
    uint256 private constant BETA_X_RE = 16885956255569095318607024798583420566014981571505215827686979430883911371020;
    uint256 private constant BETA_Y_IM = 2624441674881820372557644499218983563463685444959249493799205319389603088993;
    uint256 private constant BETA_Y_RE = 9898433702778511099781748156620546501135797300434505903743125943615051137668;
    uint256 private constant GAMMA_X_IM = 5380332086210617907609884559951582731287801593643261246847750134127686944714;
    uint256 private constant GAMMA_X_RE = 6322941241948599482725127296136908763407841164971079233413567582370347868751;
    uint256 private constant GAMMA_Y_IM = 4098609822980420780547156941525730114968886482509439713258823045866522338747;
    uint256 private constant GAMMA_Y_RE = 8321017255702894092424209470073358515320240857605545961953636988985295657298;
    uint256 private constant DELTA_X_IM = 9375261785631664966951492812602618104599350540352317822773925118221218986639;
    uint256 private constant DELTA_X_RE = 12309297047965114822082935663217596905537251168690424040261753385638153506912;
    uint256 private constant DELTA_Y_IM = 9375971644306455818363178526931596226401489737437332371546164904438737266008;
    uint256 private constant DELTA_Y_RE = 3333179094801873776433056578569733025531738558639203672365351790953109654296;
    uint256 private constant SIGMA_X_IM = 13482403892640692049341073006836300942430948339075056176603401093183905036403;
    uint256 private constant SIGMA_X_RE = 11753994353337750650394208934794653713020491724593380622321606206239565391639;
    uint256 private constant SIGMA_Y_IM = 10203336129579684248631814496915366479307864200184351047966881838183364882840;
    uint256 private constant SIGMA_Y_RE = 1136018949567137118258410770891907330608334803357494747817603399667757809798;
    uint256 private constant IC0_X = 18016175381658945290619209109504103119656615830479577386600270386917773236554;
    uint256 private constant IC0_Y = 8578859618865563903090367398437064890103827982911816832257087051837386283285;
    uint256 private constant IC1_X = 8195707227708902476399796502883544156356200242584141020715035067735145531517;
    uint256 private constant IC1_Y = 21452269139821111881165044099812172657245116859396746070582454287371457163664;
    uint256 private constant IC2_X = 768671649390277772440771316189146752300675349870303830118014328576227121344;
    uint256 private constant IC2_Y = 3054089957950375603381230697580389920955314785581306639190136049745182619439;
    uint256 private constant IC3_X = 2271525264921863294710406373541223083803846118034750632286906116835638224991;
    uint256 private constant IC3_Y = 3071186455786819560283053639510880698294197576359501443071932034792801908736;

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

            let ok := eq(calldatasize(), 580)
            ok := and(ok, eq(calldataload(0x184), 0x1a0))
            ok := and(ok, eq(calldataload(0x1a4), 0x68))

            mstore(0x080, KEY_DIGEST)
            calldatacopy(0x0a0, 0x104, 0x40)
            calldatacopy(0x0e0, 0x1c4, 0x68)
            let state := keccak256(0x080, 0xc8)
            mstore(0x00, state) // the word behind it is the number of a challenge
            mstore(0x20, 0)
            let c0 := mod(keccak256(0x00, 0x40), R)
            let s
            s := absorb8(s, c0, R, 0x1c4, 0x204, 0x8080808080808080808080808080808080808080808080808080808080808080)
            s := absorb32(s, c0, R, 0x204, 0x22c, 0x8000000080000000800000008000000080000000800000008000000080000000)
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
