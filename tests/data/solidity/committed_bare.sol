// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.8.4 <0.9.0;

/// @title Groth16 verifier over BN254 (alt_bn128) with a commitment, written by zkgpu. Public inputs: 1
/// @notice Tells whether a proof (A, B, C, D, pi) is valid for one verifying key, that is whether
///   e(A, B) * e(-alpha, beta) * e(vk_x + D + t * pi, -gamma) * e(C, -delta) * e(t * D, sigma) = 1
/// D commits to values of the circuit, and pi shows that its maker knows them (https://eprint.iacr.org/2022/1072):
/// the product is that of Groth16's equation and of e(D, sigma) = e(pi, gamma) to the power t, a hash of all the rest.
/// Further public inputs of the circuit are computed here, as the prover must not choose them:
///   state = keccak256(key digest, D, public inputs, packed values), challenge k = keccak256(state, k) modulo R
/// @dev Points are laid out as EIP-196 and EIP-197 ask: x then y; in G2 the imaginary part of a coordinate comes
/// first; (0, 0) is infinity. The precompiles refuse coordinates that are not reduced, points off the curve and
/// points of G2 outside the subgroup. Proofs are malleable: never use one, or its hash, as an identifier.
contract Groth16Verifier {
    /// @notice What requireValidProof reverts with.
    error InvalidProof();

    // The order of the groups: a public input must be below it, or two inputs would stand for one field element.
    uint256 private constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

    // Names the verifying key and the layout of the packed values in every challenge.
    uint256 private constant KEY_DIGEST = 0x6077ca78a7f1d69b4e6c9ba9601eb90502c074936431b3fe75d5e7a66ebc6fc2;

    // The verifying key, with alpha, gamma and delta negated.
    uint256 private constant ALPHA_X = 17259855214949145848737203781878726408735837707637263938888223630999650911680;
    uint256 private constant ALPHA_Y = 3737172237108861803434942703848263516283372353116042266670841944192014925998;
    uint256 private constant BETA_X_IM = 5009581150351333444715262137101942732484931302718921408109296767375263174834;
    uint256 private constant BETA_X_RE = 5328296374349602264257436752526746104208323533365912818285431724067023094349;
    uint256 private constant BETA_Y_IM = 11274888391608449428141866596370334967756457367767899790476800823088161426905;
    uint256 private constant BETA_Y_RE = 17526878233809604589968839263351315345710992205018468181560220447345472186684;
    uint256 private constant GAMMA_X_IM = 4309849733424207738315310317792121595072800362998172001859991920195080844100;
    uint256 private constant GAMMA_X_RE = 6577218334218779000046057618752504441098861820070551863159883311016135288849;
    uint256 private constant GAMMA_Y_IM = 11523769487916248382465693744775508847805889636102474931497632086655569968694;
    uint256 private constant GAMMA_Y_RE = 4271676910501686788217445280354012656540240614984901765457245882696036902248;
    uint256 private constant DELTA_X_IM = 9645640887935069031193449642763892438632501094913662463825093456184067144280;
    uint256 private constant DELTA_X_RE = 3216366523501068815139406353643452990307943908276807109965484782378004487790;
    uint256 private constant DELTA_Y_IM = 3939966621543733724776169679144324350892296267738803014020949932732896943838;
    uint256 private constant DELTA_Y_RE = 11671929864295518712156445140768005428757795388491367321989092661291853227558;
    uint256 private constant SIGMA_X_IM = 2979224034185961947310878500534817104871259986766280049594535886691834793956;
    uint256 private constant SIGMA_X_RE = 17231484672851725452111520170707337573054106507153394951932401733818806822834;
    uint256 private constant SIGMA_Y_IM = 2880182564714284307216820718240597632280469761037683328638810885073435220426;
    uint256 private constant SIGMA_Y_RE = 2618551191638717984390589701222392913486921397562140949012299369260547499315;
    uint256 private constant IC0_X = 17946950508748023901590884308560960558892877118596166103195687308355694120196;
    uint256 private constant IC0_Y = 8964485227040143962870991501996364304057395115670457128162181072035887873343;
    uint256 private constant IC1_X = 13493359484146374840662223368737186319385367496215378283586666644198446153364;
    uint256 private constant IC1_Y = 10159709000737447219144877536621730436878313145889119130700585855313218495598;
    uint256 private constant IC2_X = 15011534047433475494896369946350840741512265083244544212919412656508398947098;
    uint256 private constant IC2_Y = 11816239114294413228914167210341763809285384560049538088833506876123275581890;
    uint256 private constant IC3_X = 8686327221778704952660856004555529243752122068812322378341454078804090259575;
    uint256 private constant IC3_Y = 12307004514811200764940568098196561699544994275222452604924408552807490694640;
    uint256 private constant IC4_X = 16158856171984387255753864708874708231992803490130394529183622983231259721010;
    uint256 private constant IC4_Y = 10223675802151013416065036901793428899204303347613645672432118244772476333290;

    /// @notice Whether the proof is valid for the public values.
    /// @dev Gives false, and does not revert, on numbers out of range, points off their curve, bytes after the last
    /// argument, and too little gas: do not take the gas limit from eth_estimateGas, whose search is content with a
    /// call that gives false.
    /// @param a The point A.
    /// @param b The point B, imaginary parts first.
    /// @param c The point C.
    /// @param commitment The point D.
    /// @param knowledge The point pi.
    /// @param input The public inputs.
    function verifyProof(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[2] calldata commitment,
        uint256[2] calldata knowledge,
        uint256[1] calldata input
    ) external view returns (bool) {
        return _isValid(a, b, c, commitment, knowledge, input);
    }

    /// @notice Reverts with InvalidProof unless verifyProof would give true.
    /// @dev Its gas can be estimated: too little gas reverts.
    function requireValidProof(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[2] calldata commitment,
        uint256[2] calldata knowledge,
        uint256[1] calldata input
    ) external view {
        if (!_isValid(a, b, c, commitment, knowledge, input)) revert InvalidProof();
    }

    // The arguments lie where the ABI puts them: A at 0x004, B at 0x044, C at 0x0c4, D at 0x104, pi at 0x144, then the
    // public inputs. Sizes and offsets are compared with that, so nothing else is read.
    function _isValid(
        uint256[2] calldata,
        uint256[2][2] calldata,
        uint256[2] calldata,
        uint256[2] calldata,
        uint256[2] calldata,
        uint256[1] calldata
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

            let ok := eq(calldatasize(), 420)

            mstore(0x080, KEY_DIGEST)
            calldatacopy(0x0a0, 0x104, 0x40)
            calldatacopy(0x0e0, 0x184, 0x20)
            let state := keccak256(0x080, 0x80)
            mstore(0x00, state) // the word behind it is the number of a challenge

            mstore(0x080, state)
            calldatacopy(0x0a0, 0x004, 0x100)
            calldatacopy(0x1a0, 0x144, 0x40)
            let t := mod(keccak256(0x080, 0x160), R)

            mstore(0x200, IC0_X)
            mstore(0x220, IC0_Y)
            ok := accumulate(ok, calldataload(0x184), IC1_X, IC1_Y)
            mstore(0x20, 0)
            ok := accumulate(ok, mod(keccak256(0x00, 0x40), R), IC2_X, IC2_Y)
            mstore(0x20, 1)
            ok := accumulate(ok, mod(keccak256(0x00, 0x40), R), IC3_X, IC3_Y)
            mstore(0x20, 2)
            ok := accumulate(ok, mod(keccak256(0x00, 0x40), R), IC4_X, IC4_Y)
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
