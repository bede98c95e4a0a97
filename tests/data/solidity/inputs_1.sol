// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.8.4 <0.9.0;

/// @title Groth16 verifier over BN254 (alt_bn128), written by zkgpu. Public inputs: 1
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
    uint256 private constant ALPHA_X = 7911839313450891910898755669033905675064798230300765316405098043532982455244;
    uint256 private constant ALPHA_Y = 4047975260823011775668898671286588999935949470634975638112963790234774449821;
    uint256 private constant BETA_X_IM = 2785610537733908699807646279836606667031346212005616701329490857870335417176;
    uint256 private constant BETA_X_RE = 3278506103335888749634086872426635871457027059100544820758608097116919240707;
    uint256 private constant BETA_Y_IM = 19510441411659173048792052643548205893899983191015587122927000562785468172988;
    uint256 private constant BETA_Y_RE = 6808263608250539005792899052511674395072516021196505268056743525071335570530;
    uint256 private constant GAMMA_X_IM = 6753838515309119903521581349442918157942985934400154440828476003226485007091;
    uint256 private constant GAMMA_X_RE = 5737575776200030249416045614300795685055882100561479419228932304965251979758;
    uint256 private constant GAMMA_Y_IM = 16060711379266061828297337011892391008195554575509228000217040455183127956264;
    uint256 private constant GAMMA_Y_RE = 10843887785886681285838895911359057029814117443153087259221233676133035058660;
    uint256 private constant DELTA_X_IM = 21519551964475597331174828457729306320684564106996589059706616022947708808494;
    uint256 private constant DELTA_X_RE = 17920808607540665905822253076126265438402307742147852939479859116639456265667;
    uint256 private constant DELTA_Y_IM = 14183088839073932907268677080750392069744982164318282183244037388121679656662;
    uint256 private constant DELTA_Y_RE = 13196612240293535627865804288983979171361652041341253429623019941797192650404;
    uint256 private constant IC0_X = 9179353191126718445050546371694279422571197344605614586719582986249904530414;
    uint256 private constant IC0_Y = 3520341391593994295947832284113700842815639409811605277641450809620674361811;
    uint256 private constant IC1_X = 2125593824723655472309301187999821637219272523971713336786180738310504516789;
    uint256 private constant IC1_Y = 13284103490333192739062727496549167612487923344028856182142550422274321099230;

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
        uint256[1] calldata input
    ) external view returns (bool) {
        return _isValid(a, b, c, input);
    }

    /// @notice Reverts with InvalidProof unless verifyProof would give true.
    /// @dev Its gas can be estimated: too little gas reverts.
    function requireValidProof(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[1] calldata input
    ) external view {
        if (!_isValid(a, b, c, input)) revert InvalidProof();
    }

    function _isValid(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[1] calldata input
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
            let ok := eq(calldatasize(), 292)
            ok := and(ok, accumulate(calldataload(input), IC1_X, IC1_Y))

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
