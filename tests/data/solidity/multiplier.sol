// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.8.4 <0.9.0;

/// @title Groth16 verifier over BN254 (alt_bn128), written by zkgpu. Public inputs: 3
/// @notice Tells whether a proof (A, B, C) is valid for one verifying key, that is whether
///   e(A, B) * e(-alpha, beta) * e(vk_x, -gamma) * e(C, -delta) = 1
///   with vk_x = IC[0] + input[0] * IC[1] + input[1] * IC[2] + ...
/// which is the equation of https://eprint.iacr.org/2016/260, section 3.2, brought to one side. The minus signs sit on
/// the key, so the proof enters the pairing as it came.
/// @dev Points are laid out as EIP-196 and EIP-197 ask: x then y; in G2 the imaginary part of a coordinate comes
/// first; (0, 0) is infinity. The precompiles refuse coordinates that are not reduced, points off the curve and
/// points of G2 outside the subgroup. Proofs are malleable: never use one, or its hash, as an identifier.
contract Groth16Verifier {
    /// @notice What requireValidProof reverts with.
    error InvalidProof();

    // The order of the groups: a public input must be below it, or two inputs would stand for one field element.
    uint256 private constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

    // The verifying key, with alpha, gamma and delta negated.
    uint256 private constant ALPHA_X = 14887158228798991511675697991863823056727296701263812182509422843939710574366;
    uint256 private constant ALPHA_Y = 9403248491208977114571847467141994536483302128184264977601692982485479253241;
    uint256 private constant BETA_X_IM = 2124400030418776921461427721146719601838982149429224648086324054056582019036;
    uint256 private constant BETA_X_RE = 3617432544110173544731718537299619421081182644872778979924905239225866040155;
    uint256 private constant BETA_Y_IM = 15277713799103675100530715893062871287304808326660266287032643513764321363535;
    uint256 private constant BETA_Y_RE = 5059223199333323898258357524939133525080981281942765520258358530733746990237;
    uint256 private constant GAMMA_X_IM = 11559732032986387107991004021392285783925812861821192530917403151452391805634;
    uint256 private constant GAMMA_X_RE = 10857046999023057135944570762232829481370756359578518086990519993285655852781;
    uint256 private constant GAMMA_Y_IM = 17805874995975841540914202342111839520379459829704422454583296818431106115052;
    uint256 private constant GAMMA_Y_RE = 13392588948715843804641432497768002650278120570034223513918757245338268106653;
    uint256 private constant DELTA_X_IM = 12329620617244432318247518898461092728397943808048010585155878543273463139452;
    uint256 private constant DELTA_X_RE = 10507444226041530402276052806091842577642856399074310238613722146122782182749;
    uint256 private constant DELTA_Y_IM = 9141516171514198808170953182633290513851375051543187148781374955595536664747;
    uint256 private constant DELTA_Y_RE = 8942142777843700728520952680990575360842308175600422689714323227844802433778;
    uint256 private constant IC0_X = 18718355455095064267114180693736379829018221000347032905887583336560113408600;
    uint256 private constant IC0_Y = 3888662697625716455290710605669163994234068670302910912203213519948365905852;
    uint256 private constant IC1_X = 5583860888650813380616730435279055541079690591597275809537232892152551041170;
    uint256 private constant IC1_Y = 9108655745920258585035500827378343363455423241711031583124091941105648293337;
    uint256 private constant IC2_X = 18069600175073611756540324182936424699974179963838509749793476035577612104377;
    uint256 private constant IC2_Y = 15970005487760114528838422415936378274885579907791539597219047918208468861677;
    uint256 private constant IC3_X = 10300467517820486156608656543836040523506714904945300135290829694002899137422;
    uint256 private constant IC3_Y = 10407775034909026173456049396977759465067334294174283995167170086434711039709;

    /// @notice Whether the proof is valid for the public inputs.
    /// @dev Gives false, and does not revert, on numbers out of range, points off their curve, bytes after the last
    /// argument, and too little gas: do not take the gas limit from eth_estimateGas, whose search is content with a
    /// call that gives false.
    /// @param a The point A.
    /// @param b The point B, imaginary parts first.
    /// @param c The point C.
    /// @param input The public inputs.
    function verifyProof(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[3] calldata input
    ) external view returns (bool) {
        return _isValid(a, b, c, input);
    }

    /// @notice Reverts with InvalidProof unless verifyProof would give true.
    /// @dev Its gas can be estimated: too little gas reverts.
    function requireValidProof(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[3] calldata input
    ) external view {
        if (!_isValid(a, b, c, input)) revert InvalidProof();
    }

    function _isValid(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[3] calldata input
    ) private view returns (bool valid) {
        assembly {
            // The pairing's input, four pairs of six words, fills memory from 0x080 to 0x37f: nothing was allocated
            // there, as this function is only entered from outside. Until -gamma is written behind it, vk_x at 0x200
            // is a running sum, and 0x240 to 0x29f holds the term that comes next.

            // Adds s * (x, y) to vk_x; 0 if s is out of range or a precompile fails. A call to an address without a
            // precompile succeeds and returns nothing: hence the sizes.
            function accumulate(s, x, y) -> ok {
                if lt(s, R) {
                    mstore(0x240, x)
                    mstore(0x260, y)
                    mstore(0x280, s)
                    ok := staticcall(gas(), 0x07, 0x240, 0x60, 0x240, 0x40)
                    ok := and(ok, eq(returndatasize(), 0x40))
                    ok := and(ok, staticcall(gas(), 0x06, 0x200, 0x80, 0x200, 0x40))
                    ok := and(ok, eq(returndatasize(), 0x40))
                }
            }

            mstore(0x200, IC0_X)
            mstore(0x220, IC0_Y)
            let ok := eq(calldatasize(), 356)
            ok := and(ok, accumulate(calldataload(input), IC1_X, IC1_Y))
            ok := and(ok, accumulate(calldataload(add(input, 0x20)), IC2_X, IC2_Y))
            ok := and(ok, accumulate(calldataload(add(input, 0x40)), IC3_X, IC3_Y))

            if ok {
                calldatacopy(0x080, a, 0x40)
                calldatacopy(0x0c0, b, 0x80)
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
                calldatacopy(0x2c0, c, 0x40)
                mstore(0x300, DELTA_X_IM)
                mstore(0x320, DELTA_X_RE)
                mstore(0x340, DELTA_Y_IM)
                mstore(0x360, DELTA_Y_RE)
                // The word that comes back is the only thing that can make the proof valid.
                ok := staticcall(gas(), 0x08, 0x080, 0x300, 0x00, 0x20)
                ok := and(ok, eq(returndatasize(), 0x20))
                valid := and(ok, eq(mload(0x00), 1))
            }
        }
    }
}
