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
///   array 0: 31 x uint8 from 0 to 255, at byte 0
///   array 1: 31 x uint8 from 3 to 249, at byte 31
///   array 2: 15 x uint16 from 0 to 65535, at byte 62
///   array 3: 15 x uint16 from 3 to 65529, at byte 92
///   array 4: 7 x uint32 from 0 to 4294967295, at byte 122
///   array 5: 7 x uint32 from 3 to 4294967289, at byte 150
///   array 6: 3 x uint64 from 0 to 18446744073709551615, at byte 178
///   array 7: 3 x uint64 from 3 to 18446744073709551609, at byte 202
///   array 8: 1 x uint128 from 0 to 340282366920938463463374607431768211455, at byte 226
///   array 9: 1 x uint128 from 3 to 340282366920938463463374607431768211449, at byte 242
///   array 10: 31 x uint8 from 0 to 255, at byte 258
///   array 11: 31 x uint8 from 3 to 249, at byte 289
///   array 12: 15 x uint16 from 0 to 65535, at byte 320
///   array 13: 15 x uint16 from 3 to 65529, at byte 350
///   array 14: 7 x uint32 from 0 to 4294967295, at byte 380
///   array 15: 7 x uint32 from 3 to 4294967289, at byte 408
///   array 16: 3 x uint64 from 0 to 18446744073709551615, at byte 436
///   array 17: 3 x uint64 from 3 to 18446744073709551609, at byte 460
///   array 18: 1 x uint128 from 0 to 340282366920938463463374607431768211455, at byte 484
///   array 19: 1 x uint128 from 3 to 340282366920938463463374607431768211449, at byte 500
///   array 20: 31 x uint8 from 0 to 255, at byte 516
///   array 21: 31 x uint8 from 3 to 249, at byte 547
///   array 22: 15 x uint16 from 0 to 65535, at byte 578
///   array 23: 15 x uint16 from 3 to 65529, at byte 608
///   array 24: 7 x uint32 from 0 to 4294967295, at byte 638
///   array 25: 7 x uint32 from 3 to 4294967289, at byte 666
///   array 26: 3 x uint64 from 0 to 18446744073709551615, at byte 694
///   array 27: 3 x uint64 from 3 to 18446744073709551609, at byte 718
///   array 28: 1 x uint128 from 0 to 340282366920938463463374607431768211455, at byte 742
///   array 29: 1 x uint128 from 3 to 340282366920938463463374607431768211449, at byte 758
///   array 30: 31 x uint8 from 0 to 255, at byte 774
///   array 31: 31 x uint8 from 3 to 249, at byte 805
///   array 32: 15 x uint16 from 0 to 65535, at byte 836
///   array 33: 15 x uint16 from 3 to 65529, at byte 866
///   array 34: 7 x uint32 from 0 to 4294967295, at byte 896
///   array 35: 7 x uint32 from 3 to 4294967289, at byte 924
///   array 36: 3 x uint64 from 0 to 18446744073709551615, at byte 952
///   array 37: 3 x uint64 from 3 to 18446744073709551609, at byte 976
///   array 38: 1 x uint128 from 0 to 340282366920938463463374607431768211455, at byte 1000
///   array 39: 1 x uint128 from 3 to 340282366920938463463374607431768211449, at byte 1016
/// @dev Points are laid out as EIP-196 and EIP-197 ask: x then y; in G2 the imaginary part of a coordinate comes
/// first; (0, 0) is infinity. The precompiles refuse coordinates that are not reduced, points off the curve and
/// points of G2 outside the subgroup. Proofs are malleable: never use one, or its hash, as an identifier.
contract Groth16Verifier {
    /// @notice What requireValidProof reverts with.
    error InvalidProof();

    // The order of the groups: a public input must be below it, or two inputs would stand for one field element.
    uint256 private constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

    // Names the verifying key and the layout of the packed values in every challenge.
    uint256 private constant KEY_DIGEST = 0x98ca92d01502510cec0d83c38704ca62835c4710278b45b03f751c86f788cf2e;

    // The verifying key, with alpha, gamma and delta negated.
    uint256 private constant ALPHA_X = 14992081718094463315297817601382936968452041616934653345323942993937561585881;
    uint256 private constant ALPHA_Y = 10117379300550996444066419204712094429007931456216645894434462244929142302365;
    uint256 private constant BETA_X_IM = 4658881227386002870616133724056387175316968641925036003788031291688176578248;
    uint256 private constant BETA_X_RE = 14260466888419410069476610016409301605517545535808387844752584619735529219824;
    uint256 private constant BETA_Y_IM = 20393291641436255095647467151001430193345625660915464328544854820760263209976;
    uint256 private constant BETA_Y_RE = 7749236465282611846677187706456370798321709276673539530080049961098226499469;
    uint256 private constant GAMMA_X_IM = 4202653368722926620563811039653945827032324739233803588811923704675404305636;
    uint256 private constant GAMMA_X_RE = 15221505502342430611322466994133095571004386824089584061313759766036181920141;
    uint256 private constant GAMMA_Y_IM = 13921576237147783199993186530344140951589569973482570970150504090054843718071;
    uint256 private constant GAMMA_Y_RE = 4018976684485574327776934976566007097902397914215033306506165765339085919793;
    uint256 private constant DELTA_X_IM = 19335489401219309735335446253330292634055044018852488086421345608407537265545;
    uint256 private constant DELTA_X_RE = 10755498150225675042690645178223051764729435032892047944285798382188201125731;
    uint256 private constant DELTA_Y_IM = 13425540120242402523824582374821254322461309648892103274760037367744350215278;
    uint256 private constant DELTA_Y_RE = 18406692880128669935788863871142715211889484864443755604825440649938567854789;
    uint256 private constant SIGMA_X_IM = 17153964495210797605110230988384362595824140879460300575199861439536202994736;
    uint256 private constant SIGMA_X_RE = 18043301092289371106086690465620075362254705053868236017041300513747168599824;
    uint256 private constant SIGMA_Y_IM = 462944818755343886908105276794362306564273076084686168240298764791461866612;
    uint256 private constant SIGMA_Y_RE = 10370573768678231397272370461296043956955647783259165441416342814963417547328;
    uint256 private constant IC0_X = 2350262788264236069286702217757813234487532139389353035191596460543830098623;
    uint256 private constant IC0_Y = 13232443422788771879942402115651406780767082937001220406170851852714274758789;
    uint256 private constant IC1_X = 1924927362720444395470480653388885832361073712405496920256901597170988195467;
    uint256 private constant IC1_Y = 21115057218050668849120090958502500926087432200018724414554221915170588561886;
    uint256 private constant IC2_X = 10781354611313335841958020591011485592012989513961927942587084003925425225950;
    uint256 private constant IC2_Y = 3930520303798351526423628398169428015954311452960494296507385798751661040227;
    uint256 private constant IC3_X = 14663948823997421627796382413971089132068056947696645021409936755965099675320;
    uint256 private constant IC3_Y = 1913820393236111240256577011622980428962995039352704941795858117044526891771;
    uint256 private constant IC4_X = 10468130408753901008373637423513513662667301505217798113071523912010674966064;
    uint256 private constant IC4_Y = 18349665025127720883934729883915084681702613474850758816561319830053598998989;
    uint256 private constant IC5_X = 14060260993175028204687548017609343337657475242558265719764082378895297647440;
    uint256 private constant IC5_Y = 2207043321618668490471757751887216649841587323989170203083247439488545836116;
    uint256 private constant IC6_X = 2353283959084698848753147962758802674567573895910122419874279560612704071159;
    uint256 private constant IC6_Y = 19460512872542034413333793228809489752598330631779456291502396233123654405543;
    uint256 private constant IC7_X = 16746207621379195683238340365277092051971752257163070147741865615490713883228;
    uint256 private constant IC7_Y = 15347824785269644767860719750601163727561361754371415393104405991500260482099;
    uint256 private constant IC8_X = 11654567546810702204406976834434691793359823157127755649968241812156416518786;
    uint256 private constant IC8_Y = 15904860093167902635102556414250824453396115982401216324382504227085947680438;
    uint256 private constant IC9_X = 3492163296420887182044769178220496861322421655926395079523691039516712068270;
    uint256 private constant IC9_Y = 15982182618293812754712556181960885587153704287308572273811998831146061335827;
    uint256 private constant IC10_X = 19133361976978748059287887593661579542435929019127831296360773079758520433157;
    uint256 private constant IC10_Y = 10522222608922846461777224892086589459857738070838926429955903013897683388039;
    uint256 private constant IC11_X = 18518428976442336862548763208771465935231340035234880232694938864413870555049;
    uint256 private constant IC11_Y = 20854937503461307661009921711776678538157558661760204160191556235214970326967;
    uint256 private constant IC12_X = 1640427157881071728340573554235162072815083026377587764651521282301188522303;
    uint256 private constant IC12_Y = 6535693503891795234753357032598535789223257257566348946487645432715576318311;
    uint256 private constant IC13_X = 9497867446701403058886467471611454346456370560408525115138346518714524651206;
    uint256 private constant IC13_Y = 11474213548064431728593773278858198759448970175616683739313323128820176527209;
    uint256 private constant IC14_X = 6755472488793866080282030123023404115944299627686665200316372742028997551240;
    uint256 private constant IC14_Y = 19145157923070339391423741430122313427497021993376634439921046306344213305425;
    uint256 private constant IC15_X = 9571944354506082223037230921609667630396308225098187001609642472789021530398;
    uint256 private constant IC15_Y = 12933457425168197970546738110582064031144270273025549750868488424224700071661;
    uint256 private constant IC16_X = 2772112098360052714219088641473960360051483495994371428999327522037909074235;
    uint256 private constant IC16_Y = 21699857650102030569923285485163589847602268541438326210701913399571455217354;
    uint256 private constant IC17_X = 8636299713290589516098555692080418228722816361850617956217265742553459166990;
    uint256 private constant IC17_Y = 3869349338346603496812474409827370788914931361675072219318128316485550157875;

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

            // Continues the digest s with values of 1 bytes, from `from` to `to`. Every second value of
            // a word is taken at once, so that each has as many bits again above its own: the first of them is set in
            // the sum with `above` if the value is too large, and clear in the sum with `below` if it is too small.
            function absorb8InRange(s, x, r, from, to, flip, above, below) -> digest, outside {
                digest := s
                for { } iszero(gt(add(from, 32), to)) { from := add(from, 32) } {
                    let word := xor(calldataload(from), flip)
                    { let values := and(word, 0xff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff)
                    outside := or(outside, and(or(add(values, above), not(add(values, below))), 0x100010001000100010001000100010001000100010001000100010001000100)) }
                    { let values := and(shr(8, word), 0xff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff)
                    outside := or(outside, and(or(add(values, above), not(add(values, below))), 0x100010001000100010001000100010001000100010001000100010001000100)) }
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
                    outside := or(outside, and(or(add(value, above), not(add(value, below))), 0x100))
                    digest := add(mulmod(digest, x, r), value)
                }
            }

            // Continues the digest s with values of 2 bytes, from `from` to `to`.
            function absorb16(s, x, r, from, to, flip) -> digest {
                digest := s
                for { } iszero(gt(add(from, 32), to)) { from := add(from, 32) } {
                    let word := xor(calldataload(from), flip)
                    digest := add(mulmod(digest, x, r), and(shr(240, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(224, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(208, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(192, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(176, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(160, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(144, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(128, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(112, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(96, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(80, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(64, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(48, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(32, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(16, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(0, word), 0xffff))
                }
                for { } lt(from, to) { from := add(from, 2) } {
                    let value := shr(240, xor(calldataload(from), flip))
                    digest := add(mulmod(digest, x, r), value)
                }
            }

            // Continues the digest s with values of 2 bytes, from `from` to `to`. Every second value of
            // a word is taken at once, so that each has as many bits again above its own: the first of them is set in
            // the sum with `above` if the value is too large, and clear in the sum with `below` if it is too small.
            function absorb16InRange(s, x, r, from, to, flip, above, below) -> digest, outside {
                digest := s
                for { } iszero(gt(add(from, 32), to)) { from := add(from, 32) } {
                    let word := xor(calldataload(from), flip)
                    { let values := and(word, 0xffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff)
                    outside := or(outside, and(or(add(values, above), not(add(values, below))), 0x1000000010000000100000001000000010000000100000001000000010000)) }
                    { let values := and(shr(16, word), 0xffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff)
                    outside := or(outside, and(or(add(values, above), not(add(values, below))), 0x1000000010000000100000001000000010000000100000001000000010000)) }
                    digest := add(mulmod(digest, x, r), and(shr(240, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(224, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(208, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(192, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(176, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(160, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(144, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(128, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(112, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(96, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(80, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(64, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(48, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(32, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(16, word), 0xffff))
                    digest := add(mulmod(digest, x, r), and(shr(0, word), 0xffff))
                }
                for { } lt(from, to) { from := add(from, 2) } {
                    let value := shr(240, xor(calldataload(from), flip))
                    outside := or(outside, and(or(add(value, above), not(add(value, below))), 0x10000))
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

            // Continues the digest s with values of 4 bytes, from `from` to `to`. Every second value of
            // a word is taken at once, so that each has as many bits again above its own: the first of them is set in
            // the sum with `above` if the value is too large, and clear in the sum with `below` if it is too small.
            function absorb32InRange(s, x, r, from, to, flip, above, below) -> digest, outside {
                digest := s
                for { } iszero(gt(add(from, 32), to)) { from := add(from, 32) } {
                    let word := xor(calldataload(from), flip)
                    { let values := and(word, 0xffffffff00000000ffffffff00000000ffffffff00000000ffffffff)
                    outside := or(outside, and(or(add(values, above), not(add(values, below))), 0x100000000000000010000000000000001000000000000000100000000)) }
                    { let values := and(shr(32, word), 0xffffffff00000000ffffffff00000000ffffffff00000000ffffffff)
                    outside := or(outside, and(or(add(values, above), not(add(values, below))), 0x100000000000000010000000000000001000000000000000100000000)) }
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
                    outside := or(outside, and(or(add(value, above), not(add(value, below))), 0x100000000))
                    digest := add(mulmod(digest, x, r), value)
                }
            }

            // Continues the digest s with values of 8 bytes, from `from` to `to`.
            function absorb64(s, x, r, from, to, flip) -> digest {
                digest := s
                for { } iszero(gt(add(from, 32), to)) { from := add(from, 32) } {
                    let word := xor(calldataload(from), flip)
                    digest := add(mulmod(digest, x, r), and(shr(192, word), 0xffffffffffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(128, word), 0xffffffffffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(64, word), 0xffffffffffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(0, word), 0xffffffffffffffff))
                }
                for { } lt(from, to) { from := add(from, 8) } {
                    let value := shr(192, xor(calldataload(from), flip))
                    digest := add(mulmod(digest, x, r), value)
                }
            }

            // Continues the digest s with values of 8 bytes, from `from` to `to`. Every second value of
            // a word is taken at once, so that each has as many bits again above its own: the first of them is set in
            // the sum with `above` if the value is too large, and clear in the sum with `below` if it is too small.
            function absorb64InRange(s, x, r, from, to, flip, above, below) -> digest, outside {
                digest := s
                for { } iszero(gt(add(from, 32), to)) { from := add(from, 32) } {
                    let word := xor(calldataload(from), flip)
                    { let values := and(word, 0xffffffffffffffff0000000000000000ffffffffffffffff)
                    outside := or(outside, and(or(add(values, above), not(add(values, below))), 0x1000000000000000000000000000000010000000000000000)) }
                    { let values := and(shr(64, word), 0xffffffffffffffff0000000000000000ffffffffffffffff)
                    outside := or(outside, and(or(add(values, above), not(add(values, below))), 0x1000000000000000000000000000000010000000000000000)) }
                    digest := add(mulmod(digest, x, r), and(shr(192, word), 0xffffffffffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(128, word), 0xffffffffffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(64, word), 0xffffffffffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(0, word), 0xffffffffffffffff))
                }
                for { } lt(from, to) { from := add(from, 8) } {
                    let value := shr(192, xor(calldataload(from), flip))
                    outside := or(outside, and(or(add(value, above), not(add(value, below))), 0x10000000000000000))
                    digest := add(mulmod(digest, x, r), value)
                }
            }

            // Continues the digest s with values of 16 bytes, from `from` to `to`.
            function absorb128(s, x, r, from, to, flip) -> digest {
                digest := s
                for { } iszero(gt(add(from, 32), to)) { from := add(from, 32) } {
                    let word := xor(calldataload(from), flip)
                    digest := add(mulmod(digest, x, r), and(shr(128, word), 0xffffffffffffffffffffffffffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(0, word), 0xffffffffffffffffffffffffffffffff))
                }
                for { } lt(from, to) { from := add(from, 16) } {
                    let value := shr(128, xor(calldataload(from), flip))
                    digest := add(mulmod(digest, x, r), value)
                }
            }

            // Continues the digest s with values of 16 bytes, from `from` to `to`. Every second value of
            // a word is taken at once, so that each has as many bits again above its own: the first of them is set in
            // the sum with `above` if the value is too large, and clear in the sum with `below` if it is too small.
            function absorb128InRange(s, x, r, from, to, flip, above, below) -> digest, outside {
                digest := s
                for { } iszero(gt(add(from, 32), to)) { from := add(from, 32) } {
                    let word := xor(calldataload(from), flip)
                    { let values := and(word, 0xffffffffffffffffffffffffffffffff)
                    outside := or(outside, and(or(add(values, above), not(add(values, below))), 0x100000000000000000000000000000000)) }
                    { let values := and(shr(128, word), 0xffffffffffffffffffffffffffffffff)
                    outside := or(outside, and(or(add(values, above), not(add(values, below))), 0x100000000000000000000000000000000)) }
                    digest := add(mulmod(digest, x, r), and(shr(128, word), 0xffffffffffffffffffffffffffffffff))
                    digest := add(mulmod(digest, x, r), and(shr(0, word), 0xffffffffffffffffffffffffffffffff))
                }
                for { } lt(from, to) { from := add(from, 16) } {
                    let value := shr(128, xor(calldataload(from), flip))
                    outside := or(outside, and(or(add(value, above), not(add(value, below))), 0x100000000000000000000000000000000))
                    digest := add(mulmod(digest, x, r), value)
                }
            }

            let ok := eq(calldatasize(), 1508)
            ok := and(ok, eq(calldataload(0x184), 0x1a0))
            ok := and(ok, eq(calldataload(0x1a4), 0x408))

            mstore(0x080, KEY_DIGEST)
            calldatacopy(0x0a0, 0x104, 0x40)
            calldatacopy(0x0e0, 0x1c4, 0x408)
            let state := keccak256(0x080, 0x468)
            mstore(0x00, state) // the word behind it is the number of a challenge
            mstore(0x20, 0)
            let c0 := mod(keccak256(0x00, 0x40), R)
            let s
            let outside
            s := absorb8(s, c0, R, 0x1c4, 0x1e3, 0)
            s, outside := absorb8InRange(s, c0, R, 0x1e3, 0x202, 0, 0x6000600060006000600060006000600060006000600060006000600060006, 0xfd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd)
            ok := and(ok, iszero(outside))
            s := absorb16(s, c0, R, 0x202, 0x220, 0)
            s, outside := absorb16InRange(s, c0, R, 0x220, 0x23e, 0, 0x600000006000000060000000600000006000000060000000600000006, 0xfffd0000fffd0000fffd0000fffd0000fffd0000fffd0000fffd0000fffd)
            ok := and(ok, iszero(outside))
            s := absorb32(s, c0, R, 0x23e, 0x25a, 0)
            s, outside := absorb32InRange(s, c0, R, 0x25a, 0x276, 0, 0x6000000000000000600000000000000060000000000000006, 0xfffffffd00000000fffffffd00000000fffffffd00000000fffffffd)
            ok := and(ok, iszero(outside))
            s := absorb64(s, c0, R, 0x276, 0x28e, 0)
            s, outside := absorb64InRange(s, c0, R, 0x28e, 0x2a6, 0, 0x600000000000000000000000000000006, 0xfffffffffffffffd0000000000000000fffffffffffffffd)
            ok := and(ok, iszero(outside))
            s := absorb128(s, c0, R, 0x2a6, 0x2b6, 0)
            s, outside := absorb128InRange(s, c0, R, 0x2b6, 0x2c6, 0, 0x6, 0xfffffffffffffffffffffffffffffffd)
            ok := and(ok, iszero(outside))
            s := absorb8(s, c0, R, 0x2c6, 0x2e5, 0)
            s, outside := absorb8InRange(s, c0, R, 0x2e5, 0x304, 0, 0x6000600060006000600060006000600060006000600060006000600060006, 0xfd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd)
            ok := and(ok, iszero(outside))
            s := absorb16(s, c0, R, 0x304, 0x322, 0)
            s, outside := absorb16InRange(s, c0, R, 0x322, 0x340, 0, 0x600000006000000060000000600000006000000060000000600000006, 0xfffd0000fffd0000fffd0000fffd0000fffd0000fffd0000fffd0000fffd)
            ok := and(ok, iszero(outside))
            s := absorb32(s, c0, R, 0x340, 0x35c, 0)
            s, outside := absorb32InRange(s, c0, R, 0x35c, 0x378, 0, 0x6000000000000000600000000000000060000000000000006, 0xfffffffd00000000fffffffd00000000fffffffd00000000fffffffd)
            ok := and(ok, iszero(outside))
            s := absorb64(s, c0, R, 0x378, 0x390, 0)
            s, outside := absorb64InRange(s, c0, R, 0x390, 0x3a8, 0, 0x600000000000000000000000000000006, 0xfffffffffffffffd0000000000000000fffffffffffffffd)
            ok := and(ok, iszero(outside))
            s := absorb128(s, c0, R, 0x3a8, 0x3b8, 0)
            s, outside := absorb128InRange(s, c0, R, 0x3b8, 0x3c8, 0, 0x6, 0xfffffffffffffffffffffffffffffffd)
            ok := and(ok, iszero(outside))
            s := absorb8(s, c0, R, 0x3c8, 0x3e7, 0)
            s, outside := absorb8InRange(s, c0, R, 0x3e7, 0x406, 0, 0x6000600060006000600060006000600060006000600060006000600060006, 0xfd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd)
            ok := and(ok, iszero(outside))
            s := absorb16(s, c0, R, 0x406, 0x424, 0)
            s, outside := absorb16InRange(s, c0, R, 0x424, 0x442, 0, 0x600000006000000060000000600000006000000060000000600000006, 0xfffd0000fffd0000fffd0000fffd0000fffd0000fffd0000fffd0000fffd)
            ok := and(ok, iszero(outside))
            s := absorb32(s, c0, R, 0x442, 0x45e, 0)
            s, outside := absorb32InRange(s, c0, R, 0x45e, 0x47a, 0, 0x6000000000000000600000000000000060000000000000006, 0xfffffffd00000000fffffffd00000000fffffffd00000000fffffffd)
            ok := and(ok, iszero(outside))
            s := absorb64(s, c0, R, 0x47a, 0x492, 0)
            s, outside := absorb64InRange(s, c0, R, 0x492, 0x4aa, 0, 0x600000000000000000000000000000006, 0xfffffffffffffffd0000000000000000fffffffffffffffd)
            ok := and(ok, iszero(outside))
            s := absorb128(s, c0, R, 0x4aa, 0x4ba, 0)
            s, outside := absorb128InRange(s, c0, R, 0x4ba, 0x4ca, 0, 0x6, 0xfffffffffffffffffffffffffffffffd)
            ok := and(ok, iszero(outside))
            s := absorb8(s, c0, R, 0x4ca, 0x4e9, 0)
            s, outside := absorb8InRange(s, c0, R, 0x4e9, 0x508, 0, 0x6000600060006000600060006000600060006000600060006000600060006, 0xfd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd00fd)
            ok := and(ok, iszero(outside))
            s := absorb16(s, c0, R, 0x508, 0x526, 0)
            s, outside := absorb16InRange(s, c0, R, 0x526, 0x544, 0, 0x600000006000000060000000600000006000000060000000600000006, 0xfffd0000fffd0000fffd0000fffd0000fffd0000fffd0000fffd0000fffd)
            ok := and(ok, iszero(outside))
            s := absorb32(s, c0, R, 0x544, 0x560, 0)
            s, outside := absorb32InRange(s, c0, R, 0x560, 0x57c, 0, 0x6000000000000000600000000000000060000000000000006, 0xfffffffd00000000fffffffd00000000fffffffd00000000fffffffd)
            ok := and(ok, iszero(outside))
            s := absorb64(s, c0, R, 0x57c, 0x594, 0)
            s, outside := absorb64InRange(s, c0, R, 0x594, 0x5ac, 0, 0x600000000000000000000000000000006, 0xfffffffffffffffd0000000000000000fffffffffffffffd)
            ok := and(ok, iszero(outside))
            s := absorb128(s, c0, R, 0x5ac, 0x5bc, 0)
            s, outside := absorb128InRange(s, c0, R, 0x5bc, 0x5cc, 0, 0x6, 0xfffffffffffffffffffffffffffffffd)
            ok := and(ok, iszero(outside))
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
            mstore(0x20, 2)
            ok := accumulate(ok, mod(keccak256(0x00, 0x40), R), IC3_X, IC3_Y)
            mstore(0x20, 3)
            ok := accumulate(ok, mod(keccak256(0x00, 0x40), R), IC4_X, IC4_Y)
            mstore(0x20, 4)
            ok := accumulate(ok, mod(keccak256(0x00, 0x40), R), IC5_X, IC5_Y)
            mstore(0x20, 5)
            ok := accumulate(ok, mod(keccak256(0x00, 0x40), R), IC6_X, IC6_Y)
            mstore(0x20, 6)
            ok := accumulate(ok, mod(keccak256(0x00, 0x40), R), IC7_X, IC7_Y)
            mstore(0x20, 7)
            ok := accumulate(ok, mod(keccak256(0x00, 0x40), R), IC8_X, IC8_Y)
            mstore(0x20, 8)
            ok := accumulate(ok, mod(keccak256(0x00, 0x40), R), IC9_X, IC9_Y)
            mstore(0x20, 9)
            ok := accumulate(ok, mod(keccak256(0x00, 0x40), R), IC10_X, IC10_Y)
            mstore(0x20, 10)
            ok := accumulate(ok, mod(keccak256(0x00, 0x40), R), IC11_X, IC11_Y)
            mstore(0x20, 11)
            ok := accumulate(ok, mod(keccak256(0x00, 0x40), R), IC12_X, IC12_Y)
            mstore(0x20, 12)
            ok := accumulate(ok, mod(keccak256(0x00, 0x40), R), IC13_X, IC13_Y)
            mstore(0x20, 13)
            ok := accumulate(ok, mod(keccak256(0x00, 0x40), R), IC14_X, IC14_Y)
            mstore(0x20, 14)
            ok := accumulate(ok, mod(keccak256(0x00, 0x40), R), IC15_X, IC15_Y)
            mstore(0x20, 15)
            ok := accumulate(ok, mod(keccak256(0x00, 0x40), R), IC16_X, IC16_Y)
            ok := accumulate(ok, s, IC17_X, IC17_Y)
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
