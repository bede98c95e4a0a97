// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.8.4 <0.9.0;

/// @title Groth16 verifier over BN254 (alt_bn128), written by zkgpu. Public inputs: 16
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
    uint256 private constant ALPHA_X = 10155919557425935612525526299931176494037160366799632451555926320385619753900;
    uint256 private constant ALPHA_Y = 17178788889252577112688921228529394368468100460603092121219711507437096330788;
    uint256 private constant BETA_X_IM = 9714048759899924823958978278274051225198863391268500694058463321218316529357;
    uint256 private constant BETA_X_RE = 2094704444306483889668198351840339108553220814596719997616227486723526782339;
    uint256 private constant BETA_Y_IM = 11449203863659318476558881556241882033198566424822710513126383900336249715176;
    uint256 private constant BETA_Y_RE = 12006007932442405280024102332212143016048572460004487398540357401393777384539;
    uint256 private constant GAMMA_X_IM = 19614848955397913130786039035256666569165458330906064290519969431603227487188;
    uint256 private constant GAMMA_X_RE = 8183053724483194933508785287663953099362548407706311996403342264233013785461;
    uint256 private constant GAMMA_Y_IM = 16979916997386680111099027870565150760358320829040765297851871014585363104546;
    uint256 private constant GAMMA_Y_RE = 7813313212257670064860175136819572247123035081625006406231062636359126693280;
    uint256 private constant DELTA_X_IM = 17415319104144649443913173724664228039010583657964715000945873342268342953442;
    uint256 private constant DELTA_X_RE = 16809011475996608045732230621387485352446819510632424468121724066385021002565;
    uint256 private constant DELTA_Y_IM = 15500581035880549044700590017500898094096009054826214283295479283076451465982;
    uint256 private constant DELTA_Y_RE = 2658434154874678987298295196737447527009890876049666511621152383861042254167;
    uint256 private constant IC0_X = 6868589923685055698296163777896461424390285133558854754505295647891944405812;
    uint256 private constant IC0_Y = 10369293731027042425586493363158106239377614940867579174069646906569556490274;
    uint256 private constant IC1_X = 16396684688710668408208379162830314914818218729785374705760245046811717254872;
    uint256 private constant IC1_Y = 16665660059188636654415209330952144992949556640932530085087906619520158749952;
    uint256 private constant IC2_X = 18556968826660750224504836799706842890057977516228926326883344533961845375288;
    uint256 private constant IC2_Y = 3539126115237387220478477978827288420415023482967826489006804939709807514182;
    uint256 private constant IC3_X = 19796384019842428006075395201882564245659463151909990111741202671892560609370;
    uint256 private constant IC3_Y = 13561245026916848739113067890294557857958494120650121471823010627482608322181;
    uint256 private constant IC4_X = 18903618810179415238780372668583991940529092730644232514472835247578603778465;
    uint256 private constant IC4_Y = 21126347806925727627346353162477329663281846947070215495234445556818890401523;
    uint256 private constant IC5_X = 4655162726322384399502998185263517435692748156339611128160099240633946431812;
    uint256 private constant IC5_Y = 12753444763408102300952128286523042513704369264571093651759891796343655258710;
    uint256 private constant IC6_X = 10489956150097787885605557305644170198142558663518936718870855031652099340138;
    uint256 private constant IC6_Y = 43840943681336339058325451777942349233658812576268564729541820357971142198;
    uint256 private constant IC7_X = 15955329660851636164605796721913523875085450464338592841774981241726322635087;
    uint256 private constant IC7_Y = 4389726737357956968742063397992024432088136973489864463059248816084160982147;
    uint256 private constant IC8_X = 2724536895249750446902992016677689971430641385033063117933680809638192173899;
    uint256 private constant IC8_Y = 19743769173883808007693337162265837690986613452046315683690350832684886877959;
    uint256 private constant IC9_X = 337557275328633285148472093989117826923962857817130699021423259581861774277;
    uint256 private constant IC9_Y = 11105838053324903849326274474110091280796156108139422026527326635459950640832;
    uint256 private constant IC10_X = 4454850233208787383765876282740052432423025997438058306632490471883640800749;
    uint256 private constant IC10_Y = 14353397181079728414106002226911834320038290286391630833225649690391077567740;
    uint256 private constant IC11_X = 11154894096910452685843199526163311566079871335634728075342251163889317895199;
    uint256 private constant IC11_Y = 21129431120638635963130856965222058020453831798267310717493751909509163029573;
    uint256 private constant IC12_X = 18630412247801986562335775650719045231798694757484349200166859602172898951521;
    uint256 private constant IC12_Y = 19537727495520562182138440548967242438018818491582469225068398483151510616634;
    uint256 private constant IC13_X = 13334007386635655553486056759982141227296445200244354979486806617772963756400;
    uint256 private constant IC13_Y = 3486788078970558619249858062749747944003013675655722773872198585250768450574;
    uint256 private constant IC14_X = 6294247721369743377002880108492816888014563831908758908868733186531493644039;
    uint256 private constant IC14_Y = 3050042772749706015206943484759349401177399040690502632287706434530271749556;
    uint256 private constant IC15_X = 1857018700737043607027210148250902503176461404734607393147052350871416256502;
    uint256 private constant IC15_Y = 14649442827219646986293480301326188062157347554342538267218411005260965469722;
    uint256 private constant IC16_X = 2832809725273087818036297308048291004071146046225432098769675243849007055183;
    uint256 private constant IC16_Y = 15868455746216425133868438327411832863501965457043329441555736621527595429375;

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
        uint256[16] calldata input
    ) external view returns (bool) {
        return _isValid(a, b, c, input);
    }

    /// @notice Reverts with InvalidProof unless verifyProof would give true.
    /// @dev Its gas can be estimated: too little gas reverts.
    function requireValidProof(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[16] calldata input
    ) external view {
        if (!_isValid(a, b, c, input)) revert InvalidProof();
    }

    function _isValid(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[16] calldata input
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
            let ok := eq(calldatasize(), 772)
            ok := and(ok, accumulate(calldataload(input), IC1_X, IC1_Y))
            ok := and(ok, accumulate(calldataload(add(input, 0x20)), IC2_X, IC2_Y))
            ok := and(ok, accumulate(calldataload(add(input, 0x40)), IC3_X, IC3_Y))
            ok := and(ok, accumulate(calldataload(add(input, 0x60)), IC4_X, IC4_Y))
            ok := and(ok, accumulate(calldataload(add(input, 0x80)), IC5_X, IC5_Y))
            ok := and(ok, accumulate(calldataload(add(input, 0xa0)), IC6_X, IC6_Y))
            ok := and(ok, accumulate(calldataload(add(input, 0xc0)), IC7_X, IC7_Y))
            ok := and(ok, accumulate(calldataload(add(input, 0xe0)), IC8_X, IC8_Y))
            ok := and(ok, accumulate(calldataload(add(input, 0x100)), IC9_X, IC9_Y))
            ok := and(ok, accumulate(calldataload(add(input, 0x120)), IC10_X, IC10_Y))
            ok := and(ok, accumulate(calldataload(add(input, 0x140)), IC11_X, IC11_Y))
            ok := and(ok, accumulate(calldataload(add(input, 0x160)), IC12_X, IC12_Y))
            ok := and(ok, accumulate(calldataload(add(input, 0x180)), IC13_X, IC13_Y))
            ok := and(ok, accumulate(calldataload(add(input, 0x1a0)), IC14_X, IC14_Y))
            ok := and(ok, accumulate(calldataload(add(input, 0x1c0)), IC15_X, IC15_Y))
            ok := and(ok, accumulate(calldataload(add(input, 0x1e0)), IC16_X, IC16_Y))

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
