// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.8.5 <0.9.0;

/// @notice The verifier that zkgpu writes for a model with packed public values and no other public input.
interface IModelVerifier {
    function verifyProof(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[2] calldata commitment,
        uint256[2] calldata knowledge,
        bytes calldata packed
    ) external view returns (bool);
}

/// @title A vault that opens for inputs of one class.
/// @notice Whoever shows an input that the model gives the wanted class, with a proof of the model's answer, is let in
/// once with that input. The packed values are the input's bytes, then one int32, big-endian, for each class, and at
/// last the 20 bytes of the binding (`zkgpu zkml compile --bind 20`): the address that the proof was made for.
/// @dev Without a binding a proof is anybody's: who sees the call before it is mined could send it in his own name. With
/// one he must prove anew, which he can where the model is open, as the call shows the input: an input that must stay
/// its finder's has to be committed to before. A proof is for an address, and neither for this contract nor this chain.
contract ClassifiedVault {
    error InvalidProof();
    error WrongClass(uint256 found);
    error InputUsedBefore();
    error WrongLayout(uint256 found);
    error MadeForAnother(address owner);

    event Opened(address indexed by, uint256 class);

    IModelVerifier public immutable verifier;
    uint256 public immutable inputBytes;
    uint256 public immutable classes;
    uint256 public immutable wantedClass;

    // By input, not by proof: a proof can be changed into another valid one for the same values.
    mapping(bytes32 => bool) public used;

    /// @dev The head of the model's Verifier.sol says how its packed values lie. A model with narrower or wider outputs
    /// than int32 needs another `largest`.
    constructor(IModelVerifier verifier_, uint256 inputBytes_, uint256 classes_, uint256 wantedClass_) {
        verifier = verifier_;
        inputBytes = inputBytes_;
        classes = classes_;
        wantedClass = wantedClass_;
    }

    function open(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[2] calldata commitment,
        uint256[2] calldata knowledge,
        bytes calldata packed
    ) external {
        if (!verifier.verifyProof(a, b, c, commitment, knowledge, packed)) revert InvalidProof();
        uint256 end = inputBytes + 4 * classes;
        if (packed.length != end + 20) revert WrongLayout(packed.length);
        address owner = address(bytes20(packed[end:]));
        if (owner != msg.sender) revert MadeForAnother(owner);
        uint256 class = largest(packed[inputBytes:end]);
        if (class != wantedClass) revert WrongClass(class);
        bytes32 input = keccak256(packed[:inputBytes]);
        if (used[input]) revert InputUsedBefore();
        used[input] = true;
        emit Opened(msg.sender, class);
    }

    /// @notice The index of the largest int32, the first of equals.
    function largest(bytes calldata logits) public pure returns (uint256 index) {
        int32 best = type(int32).min;
        for (uint256 i = 0; 4 * i < logits.length; i++) {
            int32 logit = int32(uint32(bytes4(logits[4 * i:4 * i + 4])));
            if (logit > best) {
                best = logit;
                index = i;
            }
        }
    }
}
