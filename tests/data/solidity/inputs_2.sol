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
    uint256 private constant ALPHA_X = 3066075712961608894019764502101478749901798780328555044127694539802376689193;
    uint256 private constant ALPHA_Y = 7825944953164927470299231392374606476241654259770813693882554886009931559379;
    uint256 private constant BETA_X_IM = 9509292712822741251555659945039203443151461264847590780938639179810650914008;
    uint256 private constant BETA_X_RE = 21527972875700826489315817959662670646657559294956889341004622704607137716219;
    uint256 private constant BETA_Y_IM = 4196946953363795360716072115120191302084216777331974466624918849190655998165;
    uint256 private constant BETA_Y_RE = 1986144926435480239612024329948786391202404269416985898303905242517166102829;
    uint256 private constant GAMMA_X_IM = 5129176252569304988014298965326284897595484219253647809866678462479966298545;
    uint256 private constant GAMMA_X_RE = 13264103503765706361592594898829653591679395657838973542336902496766855068665;
    uint256 private constant GAMMA_Y_IM = 17548358308289876149229016161503571869230553852735554958841736790090848355148;
    uint256 private constant GAMMA_Y_RE = 11294856657651458957409619898526917723952481351781206645306658781954579209902;
    uint256 private constant DELTA_X_IM = 13846793734163764728336115562420105565653113707912649214116087313709491024346;
    uint256 private constant DELTA_X_RE = 16140368457523946016679597311921927551057065709719475827783071279268796639368;
    uint256 private constant DELTA_Y_IM = 13006547835536432302806855821942579705015255421110908913468364874303066671290;
    uint256 private constant DELTA_Y_RE = 2643756619315395491934430773263148620589683437717062802957291556331250688382;
    uint256 private constant IC0_X = 14002274912060002669505075006319302520757235022761957235671556084849186141552;
    uint256 private constant IC0_Y = 10404200706750333901177973316163094450596519725236495631676854867019449855042;
    uint256 private constant IC1_X = 7990071201620585691157798718815271647787037796602084684767543596297255329976;
    uint256 private constant IC1_Y = 9707513679966565654394356547470545447677379489473348140155153840283806556299;
    uint256 private constant IC2_X = 12050263867892943030189485909096702138602022176567472061591214817894392457695;
    uint256 private constant IC2_Y = 14152954442899003689958398414441176951304511523588163379042560075620008005667;

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
