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
    uint256 private constant ALPHA_X = 4780073391809288849788365027867524411385869536948826347614008721399164637540;
    uint256 private constant ALPHA_Y = 9819912733123066415000467448972581921038599742267773892384845357310252062575;
    uint256 private constant BETA_X_IM = 3548867974179682140430940183319674171041541324648709241599512347323829120560;
    uint256 private constant BETA_X_RE = 7234962095286572070930108574430393534551581155006180507024986160872176571253;
    uint256 private constant BETA_Y_IM = 12286091474245123225052089658703107110647653913139764970044707562667063118695;
    uint256 private constant BETA_Y_RE = 6619165801982880931071218595057711774894024769405985032225638993621325350845;
    uint256 private constant GAMMA_X_IM = 11559732032986387107991004021392285783925812861821192530917403151452391805634;
    uint256 private constant GAMMA_X_RE = 10857046999023057135944570762232829481370756359578518086990519993285655852781;
    uint256 private constant GAMMA_Y_IM = 17805874995975841540914202342111839520379459829704422454583296818431106115052;
    uint256 private constant GAMMA_Y_RE = 13392588948715843804641432497768002650278120570034223513918757245338268106653;
    uint256 private constant DELTA_X_IM = 14792651659606906424303445203527802003982915204729428162302598986923721853798;
    uint256 private constant DELTA_X_RE = 2594157355690605728233806476299319212310772271484902637818870610045811038919;
    uint256 private constant DELTA_Y_IM = 18195134913075177173919648334064615490441589818284947950802696789904495272371;
    uint256 private constant DELTA_Y_RE = 97740641881291450220990009540349216615045457597406704036990440487074580737;
    uint256 private constant IC0_X = 19618671930535684168909595003371819378421421374971474438911096282311550955283;
    uint256 private constant IC0_Y = 16804705851257581531283375418620429842233992412886713484153783433610236924639;
    uint256 private constant IC1_X = 16698452272983851271652381738244799192360694542704743716033850851665835922228;
    uint256 private constant IC1_Y = 5561857632962097770629733773110334224455352940686497323164119318376528069747;
    uint256 private constant IC2_X = 12442849517591233029106602991666857448070619331644289260792142080672358532296;
    uint256 private constant IC2_Y = 16364874355056932454875317495873431863179423061107962968578499534387792024945;
    uint256 private constant IC3_X = 13206566883326091250585193336832997231545716734979416531408078905146558731472;
    uint256 private constant IC3_Y = 515255163709538807057953959019867826396024406010278834339109489358210632531;

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
