// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.8.4 <0.9.0;

/// @title Groth16 verifier over BN254 (alt_bn128), written by zkgpu. Public inputs: 2
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
    uint256 private constant ALPHA_X = 15397905108904864409579383492145590676334630858131693563555143716936081896643;
    uint256 private constant ALPHA_Y = 6952321973196155906178338308989954635730767457560823451520860715652511619582;
    uint256 private constant BETA_X_IM = 14488078854143896651060756731455996607377817910939330262147851274056059358896;
    uint256 private constant BETA_X_RE = 3785060175306335343162474873158742160680324316753988083201182829488712376677;
    uint256 private constant BETA_Y_IM = 20187634261601508090831958307261298520877667481913145040989696180014051036751;
    uint256 private constant BETA_Y_RE = 5557046486844468188021664178948664716747734451054948597791013963655559608561;
    uint256 private constant GAMMA_X_IM = 11559732032986387107991004021392285783925812861821192530917403151452391805634;
    uint256 private constant GAMMA_X_RE = 10857046999023057135944570762232829481370756359578518086990519993285655852781;
    uint256 private constant GAMMA_Y_IM = 17805874995975841540914202342111839520379459829704422454583296818431106115052;
    uint256 private constant GAMMA_Y_RE = 13392588948715843804641432497768002650278120570034223513918757245338268106653;
    uint256 private constant DELTA_X_IM = 11403281030285269501777553371430670692800647888554307235331626625752465197014;
    uint256 private constant DELTA_X_RE = 233006385623136766893130345279114164663217803694538030888309025527028979036;
    uint256 private constant DELTA_Y_IM = 5464300313500087509016185719141118189535087970263799897769334569801478523444;
    uint256 private constant DELTA_Y_RE = 5036598844282187618911187637038417164699501535149969325895728106853426897567;
    uint256 private constant IC0_X = 4411563203655216857052506544901977731665406774205718780073893175870955489719;
    uint256 private constant IC0_Y = 4970992294720285566543095836322123548962855178372401850491693763335777655332;
    uint256 private constant IC1_X = 15732771787947431488257566491215374902191379491015571024620428179829194906177;
    uint256 private constant IC1_Y = 6876233363378427710096155501460852838934589418579468613272238783182397875781;
    uint256 private constant IC2_X = 17107424017057382817010315273268399233475629215184182555158317735914638053764;
    uint256 private constant IC2_Y = 12323483465196322518744210454088963849978070224044376443425244680010283007198;

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
        uint256[2] calldata input
    ) external view returns (bool) {
        return _isValid(a, b, c, input);
    }

    /// @notice Reverts with InvalidProof unless verifyProof would give true.
    /// @dev Its gas can be estimated: too little gas reverts.
    function requireValidProof(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[2] calldata input
    ) external view {
        if (!_isValid(a, b, c, input)) revert InvalidProof();
    }

    function _isValid(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[2] calldata input
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
            let ok := eq(calldatasize(), 324)
            ok := and(ok, accumulate(calldataload(input), IC1_X, IC1_Y))
            ok := and(ok, accumulate(calldataload(add(input, 0x20)), IC2_X, IC2_Y))

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
