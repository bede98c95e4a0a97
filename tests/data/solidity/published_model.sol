// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.8.4 <0.9.0;

/// @notice The verifier that zkgpu writes for a model with hashed weights and packed public values.
interface IHashedModelVerifier {
    function verifyProof(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[2] calldata commitment,
        uint256[2] calldata knowledge,
        uint256[1] calldata weightsHash,
        bytes calldata packed
    ) external view returns (bool);
}

/// @title A model whose weights stay secret and cannot be exchanged.
/// @notice The hash of the weights is published with the contract. From then on an answer counts only when it is
/// proven to be that of the weights with this hash, whoever proves it.
contract PublishedModel {
    error InvalidProof();
    error OtherWeights(uint256 found);

    event Answered(bytes32 indexed input, bytes answer);

    IHashedModelVerifier public immutable verifier;
    uint256 public immutable weightsHash;
    uint256 public immutable inputBytes;

    constructor(IHashedModelVerifier verifier_, uint256 weightsHash_, uint256 inputBytes_) {
        verifier = verifier_;
        weightsHash = weightsHash_;
        inputBytes = inputBytes_;
    }

    /// @param found The hash that the proof shows of its weights.
    /// @param packed The input's bytes, and then the model's answer.
    function answer(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[2] calldata commitment,
        uint256[2] calldata knowledge,
        uint256[1] calldata found,
        bytes calldata packed
    ) external {
        if (found[0] != weightsHash) revert OtherWeights(found[0]);
        if (!verifier.verifyProof(a, b, c, commitment, knowledge, found, packed)) revert InvalidProof();
        emit Answered(keccak256(packed[:inputBytes]), packed[inputBytes:]);
    }
}
