// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.8.4 <0.9.0;

import {ClassifiedVault, IModelVerifier} from "../contracts/ClassifiedVault.sol";
import {Groth16Verifier} from "../contracts/Verifier.sol";

/// @notice What the test asks of forge itself (forge-std has all of it).
interface Vm {
    function readLine(string calldata path) external view returns (string memory);
    function parseBytes(string calldata text) external pure returns (bytes memory);
    function prank(address sender) external;
}

contract VaultTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    address private constant SENDER = 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266; // as prove.sh has it
    uint256 private constant PIXELS = 64;
    uint256 private constant DIGITS = 10;
    uint256 private constant DIGIT = 3;
    uint256 private constant PACKED = 4 + 32 * 14; // where the packed values begin, behind their offset and length

    uint256 private constant GAS = 1_000_000; // of a call: a point off the curve takes all that it is given

    Groth16Verifier private verifier;
    ClassifiedVault private vault;
    bytes private proof; // the call of verifyProof

    function setUp() public {
        verifier = new Groth16Verifier();
        vault = new ClassifiedVault(IModelVerifier(address(verifier)), PIXELS, DIGITS, DIGIT);
        proof = vm.parseBytes(vm.readLine("test/calldata.txt"));
    }

    function test_the_true_proof_is_accepted() public view {
        require(accepts(proof), "the true proof was refused");
    }

    function test_an_altered_proof_is_refused() public view {
        for (uint256 word = 0; word < 12; word++) {
            require(!accepts(altered(4 + 32 * word + 31)), "an altered proof was accepted");
        }
    }

    function test_another_pixel_score_or_sender_is_refused() public view {
        for (uint256 i = 0; i < PIXELS + 4 * 10 + 20; i++) {
            require(!accepts(altered(PACKED + i)), "altered values were accepted");
        }
    }

    function test_the_vault_opens_once_for_its_sender() public {
        require(!opens(address(this)), "it opened for another");
        require(opens(SENDER), "it stayed shut");
        require(!opens(SENDER), "it opened twice");
    }

    function opens(address by) private returns (bool done) {
        bytes memory call = proof; // `open` has verifyProof's arguments
        bytes4 selector = ClassifiedVault.open.selector;
        for (uint256 i = 0; i < 4; i++) call[i] = selector[i];
        vm.prank(by);
        (done,) = address(vault).call(call);
    }

    function accepts(bytes memory call) private view returns (bool) {
        (bool done, bytes memory answer) = address(verifier).staticcall{gas: GAS}(call);
        return done && abi.decode(answer, (bool));
    }

    /// @notice The proof with the last bit of a byte changed.
    function altered(uint256 place) private view returns (bytes memory call) {
        call = proof;
        call[place] ^= 0x01;
    }
}
