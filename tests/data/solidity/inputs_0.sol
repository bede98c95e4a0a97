// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.8.4 <0.9.0;

/// @title Groth16 verifier over BN254 (alt_bn128), written by zkgpu. Public inputs: 0
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
    uint256 private constant ALPHA_X = 20722397329926129317866337856271334294222962092045393159092263946038897216697;
    uint256 private constant ALPHA_Y = 20603454305053337831624317896996721173306082789050871958331844286761916893618;
    uint256 private constant BETA_X_IM = 21860670352265560874642767959091784116111576873856179179656648059308535657682;
    uint256 private constant BETA_X_RE = 18514068654707038126951915586760246385892956579443612097819937574105496217324;
    uint256 private constant BETA_Y_IM = 6764753118154750711771084635801629632705038915217827983037368048939629395948;
    uint256 private constant BETA_Y_RE = 16173680240112884302646559210345338145491184150951349938503550305103945020746;
    uint256 private constant GAMMA_X_IM = 8533426281698080715305402766357447964927706824848225634894763924087759169396;
    uint256 private constant GAMMA_X_RE = 12913823509185776030274371238332132814841906935182182069515238880178818867664;
    uint256 private constant GAMMA_Y_IM = 1717008767958553865434967720241697660194605098717402684911070651350515690659;
    uint256 private constant GAMMA_Y_RE = 1674673393963912868659016339207030247074237153930018028148500322488517445649;
    uint256 private constant DELTA_X_IM = 20297113145866306112085551341346757432268252193041931737056296579406072322396;
    uint256 private constant DELTA_X_RE = 6293268510841913024017161064169291542689901042155960138410235328460391341858;
    uint256 private constant DELTA_Y_IM = 10697733588551355272308427279361218791524259401284017956935332487440383671632;
    uint256 private constant DELTA_Y_RE = 21658446711600574471611677468240054933094284320050002819275765013028097382581;
    uint256 private constant IC0_X = 6187099662900925318780133486344026491831130210732139100432656659522412711026;
    uint256 private constant IC0_Y = 6375660367077902223197681725536979008890688083696156647127367688123086572204;

    /// @notice Whether the proof is valid for the public inputs.
    /// @dev Gives false, and does not revert, on numbers out of range, points off their curve, bytes after the last
    /// argument, and too little gas: do not take the gas limit from eth_estimateGas, whose search is content with a
    /// call that gives false.
    /// @param a The point A.
    /// @param b The point B, imaginary parts first.
    /// @param c The point C.
    function verifyProof(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c
    ) external view returns (bool) {
        return _isValid(a, b, c);
    }

    /// @notice Reverts with InvalidProof unless verifyProof would give true.
    /// @dev Its gas can be estimated: too little gas reverts.
    function requireValidProof(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c
    ) external view {
        if (!_isValid(a, b, c)) revert InvalidProof();
    }

    function _isValid(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c
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
            let ok := eq(calldatasize(), 260)

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
