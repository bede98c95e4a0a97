// SPDX-License-Identifier: Apache-2.0
// UNSAFE SETUP, FOR TESTS ONLY: whoever made the key can forge proofs that this contract accepts.
pragma solidity >=0.8.4 <0.9.0;

/// @title PLONK verifier over BN254 (alt_bn128), written by zkgpu. Rows: 2^3. Public inputs: 0
/// @notice Tells whether a proof is valid for one verifying key, by the equation of
/// https://eprint.iacr.org/2019/953, section 8.3, with challenges drawn by Keccak-256 as snarkjs draws them.
/// @dev A proof is nine points A, B, C, Z, T1, T2, T3, W, W', x before y as in EIP-196, then the openings of a, b, c,
/// s1, s2 at zeta and of z at zeta omega. The precompiles refuse coordinates that are not reduced and points off the
/// curve; infinity, which is (0, 0), and openings that are 0 are refused here, as no honest proof has them.
contract PlonkVerifier {
    /// @notice What requireValidProof reverts with.
    error InvalidProof();

    // The order of the group: scalars must be below it, or two numbers would stand for one field element.
    uint256 private constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 private constant R_MINUS_1 = 21888242871839275222246405745257275088548364400416034343698204186575808495616;
    uint256 private constant R_MINUS_2 = 21888242871839275222246405745257275088548364400416034343698204186575808495615;

    // The domain: 2^LOG_SIZE roots of unity, omega one that generates them, and the last one a Lagrange polynomial is
    // wanted for.
    uint256 private constant SIZE = 8;
    uint256 private constant OMEGA = 19540430494807482326159819597004422086093766032135589407132600596362845576832;
    uint256 private constant OMEGA_INVERSE = 8613538655231327379234925296132678673308827349856085326283699237864372525723;
    uint256 private constant OMEGA_LAST = 1;

    // The verifying key, with tau in G2 negated.
    uint256 private constant K1 = 2;
    uint256 private constant K2 = 3;
    uint256 private constant QM_X = 423996143854466095047377089771263888412253245332272234925028135369072148959;
    uint256 private constant QM_Y = 21119746853080648644531719296442211137591508084934361730144920067209319209188;
    uint256 private constant QL_X = 423996143854466095047377089771263888412253245332272234925028135369072148959;
    uint256 private constant QL_Y = 21119746853080648644531719296442211137591508084934361730144920067209319209188;
    uint256 private constant QR_X = 0;
    uint256 private constant QR_Y = 0;
    uint256 private constant QO_X = 423996143854466095047377089771263888412253245332272234925028135369072148959;
    uint256 private constant QO_Y = 768496018758626577714686448815063951104803072363461932544117827435906999395;
    uint256 private constant QC_X = 0;
    uint256 private constant QC_Y = 0;
    uint256 private constant S1_X = 8552777957863278438572687033919927450418992707402603485616375328722791104479;
    uint256 private constant S1_Y = 6924159617551508717411350564728269275142891430560073664821599970053561226242;
    uint256 private constant S2_X = 8965195477342945950531427168981898072781107067345877332753809721198465688973;
    uint256 private constant S2_Y = 18740807656778484859059200653398679097725732438012870535117100524213439919544;
    uint256 private constant S3_X = 11741320381359546401859885112555458595839841763861975893542598511393088112983;
    uint256 private constant S3_Y = 2683125566323719393620142932265242111301277659658636712490920577201675637806;
    uint256 private constant TAU_X_IM = 13186660666155960305615343467991680762011965502631771667949518427701038221161;
    uint256 private constant TAU_X_RE = 13989662957572015267632662121991065286811759362410618094532061836938626195329;
    uint256 private constant TAU_Y_IM = 5277430998657440008929530594304430005226827178238134350944046337530566282456;
    uint256 private constant TAU_Y_RE = 2952690176611127067549188636942395669609413813041793498569820404269183852605;

    /// @notice Whether the proof is valid for the public inputs.
    /// @dev Gives false, and does not revert, on numbers out of range, points off the curve, bytes after the last
    /// argument, and too little gas: do not take the gas limit from eth_estimateGas, whose search is content with a
    /// call that gives false.
    /// @param proof Nine points and six openings.
    function verifyProof(
        uint256[24] calldata proof
    ) external view returns (bool) {
        return _isValid(proof);
    }

    /// @notice Reverts with InvalidProof unless verifyProof would give true.
    /// @dev Its gas can be estimated: too little gas reverts.
    function requireValidProof(
        uint256[24] calldata proof
    ) external view {
        if (!_isValid(proof)) revert InvalidProof();
    }

    function _isValid(
        uint256[24] calldata proof
    ) private view returns (bool valid) {
        assembly {
            // Memory, none of which was allocated, as this function is only entered from outside:
            //   0x080 0x0a0  the running sum of points
            //   0x0c0 0x0e0  the next term;  0x100  its factor
            //   0x120 beta  0x140 gamma  0x160 alpha  0x180 zeta  0x1a0 v  0x1c0 u
            //   0x1e0 zeta^n  0x200 zeta^n - 1  0x220 L_1(zeta)  0x240 sum of input[i] L_(i+1)(zeta)
            //   0x260 ...  texts to be hashed, then Lagrange denominators, then the pairing's input
            // Calldata, from the proof's offset: points A B C Z T1 T2 T3 W W' at 0x000 0x040 .. 0x200, openings of
            // a b c s1 s2 at 0x240 0x260 0x280 0x2a0 0x2c0, of z at 0x2e0.

            // The hash of memory as a scalar.
            function challenge(start, size) -> c {
                c := mod(keccak256(start, size), R)
            }

            // x^(R - 2); 0 if the precompile fails.
            function inverse(x) -> y {
                mstore(0x260, 0x20)
                mstore(0x280, 0x20)
                mstore(0x2a0, 0x20)
                mstore(0x2c0, x)
                mstore(0x2e0, R_MINUS_2)
                mstore(0x300, R)
                let ok := staticcall(gas(), 0x05, 0x260, 0xc0, 0x00, 0x20)
                if and(ok, eq(returndatasize(), 0x20)) { y := mload(0x00) }
            }

            // Adds s times the point in 0x0c0 to the running sum; 0 if a precompile fails. A call to an address without
            // a precompile succeeds and returns nothing: hence the sizes. A precompile that fails burns all its gas,
            // so nothing is called once something failed.
            function accumulate(s) -> ok {
                mstore(0x100, s)
                ok := staticcall(gas(), 0x07, 0x0c0, 0x60, 0x0c0, 0x40)
                ok := and(ok, eq(returndatasize(), 0x40))
                if ok {
                    ok := staticcall(gas(), 0x06, 0x080, 0x80, 0x080, 0x40)
                    ok := and(ok, eq(returndatasize(), 0x40))
                }
            }

            // Adds s times a point of the key, if all went well before.
            function add_key(before, s, x, y) -> ok {
                if before {
                    mstore(0x0c0, x)
                    mstore(0x0e0, y)
                    ok := accumulate(s)
                }
            }

            // Adds s times a point of the proof, if all went well before.
            function add_proof(before, s, at) -> ok {
                if before {
                    calldatacopy(0x0c0, at, 0x40)
                    ok := accumulate(s)
                }
            }

            // value + beta * name + gamma
            function permuted(value, name) -> y {
                y := addmod(addmod(value, mulmod(mload(0x120), name, R), R), mload(0x140), R)
            }

            let ok := eq(calldatasize(), 772)
            for { let at := proof } lt(at, add(proof, 0x240)) { at := add(at, 0x40) } {
                ok := and(ok, gt(or(calldataload(at), calldataload(add(at, 0x20))), 0))
            }
            for { let at := add(proof, 0x240) } lt(at, add(proof, 0x300)) { at := add(at, 0x20) } {
                ok := and(ok, lt(sub(calldataload(at), 1), R_MINUS_1)) // 0 - 1 is larger than any
            }

            // beta = H(key, inputs, A, B, C), gamma = H(beta)
            mstore(0x260, QM_X)
            mstore(0x280, QM_Y)
            mstore(0x2a0, QL_X)
            mstore(0x2c0, QL_Y)
            mstore(0x2e0, QR_X)
            mstore(0x300, QR_Y)
            mstore(0x320, QO_X)
            mstore(0x340, QO_Y)
            mstore(0x360, QC_X)
            mstore(0x380, QC_Y)
            mstore(0x3a0, S1_X)
            mstore(0x3c0, S1_Y)
            mstore(0x3e0, S2_X)
            mstore(0x400, S2_Y)
            mstore(0x420, S3_X)
            mstore(0x440, S3_Y)
            calldatacopy(0x460, proof, 0xc0)
            mstore(0x120, challenge(0x260, 0x2c0))
            mstore(0x140, challenge(0x120, 0x20))

            // alpha = H(beta, gamma, Z), zeta = H(alpha, T1, T2, T3)
            mstore(0x260, mload(0x120))
            mstore(0x280, mload(0x140))
            calldatacopy(0x2a0, add(proof, 0x0c0), 0x40)
            mstore(0x160, challenge(0x260, 0x80))
            mstore(0x260, mload(0x160))
            calldatacopy(0x280, add(proof, 0x100), 0xc0)
            mstore(0x180, challenge(0x260, 0xe0))

            // v = H(zeta, openings), u = H(W, W')
            mstore(0x260, mload(0x180))
            calldatacopy(0x280, add(proof, 0x240), 0xc0)
            mstore(0x1a0, challenge(0x260, 0xe0))
            calldatacopy(0x260, add(proof, 0x1c0), 0x80)
            mstore(0x1c0, challenge(0x260, 0x80))

            {
                let power := mload(0x180)
                for { let i := 0 } lt(i, 3) { i := add(i, 1) } { power := mulmod(power, power, R) }
                mstore(0x1e0, power)
                mstore(0x200, addmod(power, R_MINUS_1, R))
                ok := and(ok, gt(mload(0x200), 0)) // zeta must not be in the domain
            }

            // L_i(zeta) = omega^(i-1) (zeta^n - 1) / (n (zeta - omega^(i-1))): all denominators inverted at once.
            // Each is kept, from 0x320 on, behind the product of those before it.
            {
                let product := 1
                let root := 1
                for { let at := 0x320 } lt(at, 0x360) { at := add(at, 0x40) } {
                    let denominator := mulmod(SIZE, addmod(mload(0x180), sub(R, root), R), R)
                    mstore(at, product)
                    mstore(add(at, 0x20), denominator)
                    product := mulmod(product, denominator, R)
                    root := mulmod(root, OMEGA, R)
                }
                product := inverse(product)
                ok := and(ok, gt(product, 0))
                root := OMEGA_LAST
                let sum := 0
                let lagrange := 0
                for { let at := 0x320 } gt(at, 0x31f) { at := sub(at, 0x40) } {
                    lagrange := mulmod(mulmod(root, mload(0x200), R), mulmod(product, mload(at), R), R)
                    product := mulmod(product, mload(add(at, 0x20)), R)
                    root := mulmod(root, OMEGA_INVERSE, R)
                }
                mstore(0x220, lagrange)
                mstore(0x240, sum)
            }

            // The gates: Qc + a b Qm + a Ql + b Qr + c Qo
            if ok {
                let a := calldataload(add(proof, 0x240))
                let b := calldataload(add(proof, 0x260))
                mstore(0x080, QC_X)
                mstore(0x0a0, QC_Y)
                ok := add_key(ok, mulmod(a, b, R), QM_X, QM_Y)
                ok := add_key(ok, a, QL_X, QL_Y)
                ok := add_key(ok, b, QR_X, QR_Y)
                ok := add_key(ok, calldataload(add(proof, 0x280)), QO_X, QO_Y)
            }

            // The permutation: (names before alpha + L_1 alpha^2 + u) Z - names after alpha beta z' S3
            if ok {
                let before := mulmod(mload(0x180), K1, R)
                before := permuted(calldataload(add(proof, 0x260)), before)
                before := mulmod(before, permuted(calldataload(add(proof, 0x240)), mload(0x180)), R)
                let third := permuted(calldataload(add(proof, 0x280)), mulmod(mload(0x180), K2, R))
                before := mulmod(mulmod(before, third, R), mload(0x160), R)
                let alpha2_l1 := mulmod(mulmod(mload(0x160), mload(0x160), R), mload(0x220), R)
                before := addmod(addmod(before, alpha2_l1, R), mload(0x1c0), R)
                ok := add_proof(ok, before, add(proof, 0x0c0))

                let after := permuted(calldataload(add(proof, 0x240)), calldataload(add(proof, 0x2a0)))
                third := permuted(calldataload(add(proof, 0x260)), calldataload(add(proof, 0x2c0)))
                after := mulmod(mulmod(after, third, R), mload(0x160), R)
                after := mulmod(after, calldataload(add(proof, 0x2e0)), R)
                ok := add_key(ok, sub(R, mulmod(after, mload(0x120), R)), S3_X, S3_Y)

                // what is known of all that was opened, times the generator:
                // PI, L_1 alpha^2 and names after alpha z' (c + gamma) with the opposite sign of r_0,
                // v a + v^2 b + v^3 c + v^4 s1 + v^5 s2, and u z'
                let known := mulmod(after, addmod(calldataload(add(proof, 0x280)), mload(0x140), R), R)
                known := addmod(addmod(known, alpha2_l1, R), mload(0x240), R)
                known := addmod(known, mulmod(mload(0x1c0), calldataload(add(proof, 0x2e0)), R), R)
                let folded := 0
                for { let at := add(proof, 0x2c0) } gt(at, add(proof, 0x23f)) { at := sub(at, 0x20) } {
                    folded := mulmod(addmod(folded, calldataload(at), R), mload(0x1a0), R)
                }
                ok := add_key(ok, sub(R, addmod(known, folded, R)), 1, 2)
            }

            // The quotient: - (zeta^n - 1) (T1 + zeta^n T2 + zeta^2n T3)
            if ok {
                let factor := sub(R, mload(0x200))
                for { let at := add(proof, 0x100) } lt(at, add(proof, 0x1c0)) { at := add(at, 0x40) } {
                    ok := add_proof(ok, factor, at)
                    factor := mulmod(factor, mload(0x1e0), R)
                }
            }

            // What was opened at zeta: v A + v^2 B + v^3 C + v^4 S1 + v^5 S2
            if ok {
                let power := mload(0x1a0)
                for { let at := proof } lt(at, add(proof, 0x0c0)) { at := add(at, 0x40) } {
                    ok := add_proof(ok, power, at)
                    power := mulmod(power, mload(0x1a0), R)
                }
                ok := add_key(ok, power, S1_X, S1_Y)
                ok := add_key(ok, mulmod(power, mload(0x1a0), R), S2_X, S2_Y)
            }

            // The openings' proofs: zeta W + u zeta omega W' to the sum
            ok := add_proof(ok, mload(0x180), add(proof, 0x1c0))
            ok := add_proof(ok, mulmod(mulmod(mload(0x180), OMEGA, R), mload(0x1c0), R), add(proof, 0x200))

            // e(W + u W', -tau H) e(sum, H) = 1
            mstore(0x320, mload(0x080))
            mstore(0x340, mload(0x0a0))
            calldatacopy(0x080, add(proof, 0x1c0), 0x40)
            ok := add_proof(ok, mload(0x1c0), add(proof, 0x200))
            if ok {
                mstore(0x260, mload(0x080))
                mstore(0x280, mload(0x0a0))
                mstore(0x2a0, TAU_X_IM)
                mstore(0x2c0, TAU_X_RE)
                mstore(0x2e0, TAU_Y_IM)
                mstore(0x300, TAU_Y_RE)
                mstore(0x360, 11559732032986387107991004021392285783925812861821192530917403151452391805634)
                mstore(0x380, 10857046999023057135944570762232829481370756359578518086990519993285655852781)
                mstore(0x3a0, 4082367875863433681332203403145435568316851327593401208105741076214120093531)
                mstore(0x3c0, 8495653923123431417604973247489272438418190587263600148770280649306958101930)
                // The word that comes back is the only thing that can make the proof valid.
                ok := staticcall(gas(), 0x08, 0x260, 0x180, 0x00, 0x20)
                ok := and(ok, eq(returndatasize(), 0x20))
                valid := and(ok, eq(mload(0x00), 1))
            }
        }
    }
}
