// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.8.5 <0.9.0;

/// @title Inferences that are audited by sample, with a bond behind each batch of them.
/// @notice The operator of one model commits to batches of inferences by a Merkle root, and locks a bond with each. The
/// randomness of a later block draws which of them must be proven, before a deadline, to the verifier that zkgpu wrote for
/// the model. Whoever shows a batch whose deadline passed with a proof missing takes the reward; the rest of its bond is
/// burned. Else the operator has the bond back. What is claimed is the entry of the tree: a request, a digest of the
/// model's inputs and one of its outputs. An answer that its client cannot find in a committed tree is not audited.
/// @dev docs/audit.md says who could cheat whom, and what stops it. A wrong proof is not punished but refused: the
/// operator may send a right one until the deadline, and where there is none the batch ends with that one missing.
/// Time is counted by blocks. The chain must have headers as Ethereum's, with randomness that no operator chooses in the
/// place of prevRandao (EIP-4399).
contract AuditedInference {
    error NotOperator();
    error WrongTerms();
    error WrongBatch(uint256 next);
    error WrongCount();
    error WrongBond();
    error AlreadyDrawn();
    error NotDrawable();
    error WrongHeader();
    error NotDrawn();
    error TooLate();
    error TooEarly();
    error NotASample(uint256 position);
    error AlreadyAnswered(uint256 position);
    error WrongCall(uint256 position);
    error OtherWeights(uint256 position);
    error NotInTree(uint256 position);
    error InvalidProof(uint256 position);
    error AllAnswered();
    error NotAllAnswered();
    error AlreadySettled();
    error NotPaid();

    event Committed(uint256 indexed batch, bytes32 root, uint256 count, uint256 drawBlock);
    event Drawn(uint256 indexed batch, bytes32 randao);
    event Answered(uint256 indexed batch, uint256 position, uint256 index);
    event Slashed(uint256 indexed batch, address by);
    event Released(uint256 indexed batch);

    /// @param bond Wei that each batch locks.
    /// @param reward Wei of a bond that go to whoever has it slashed. The operator can be that one, so only the rest of
    /// the bond deters him.
    /// @param samples How many inferences of a batch are drawn; all of a smaller batch. At most 256.
    /// @param most How many a batch may have: else the operator hid a lie among any number of true ones.
    /// @param delay Blocks from the commitment to the one that draws.
    /// @param window Blocks from there to the last one that takes answers. At least 256, as long as a block's hash is
    /// known everywhere, so that the operator always has as long as that to have it drawn.
    struct Terms {
        uint256 bond;
        uint256 reward;
        uint256 samples;
        uint256 most;
        uint256 delay;
        uint256 window;
    }

    /// @notice Where the call of the model's verifier has what it says. The public inputs come behind the proof: the
    /// hashes of inputs, that of the weights, those of outputs; then, with an offset and a length, the packed values.
    /// @param model The model's hash, see zkgpu/audit/model.py.
    /// @param selector Of verifyProof.
    /// @param proofWords Words of the proof.
    /// @param weightsHashes 1 where the proof shows a hash of the weights, else 0.
    /// @param weightsHash The one that it must show.
    struct Model {
        bytes32 model;
        bytes4 selector;
        uint256 proofWords;
        uint256 inputHashes;
        uint256 weightsHashes;
        uint256 weightsHash;
        uint256 outputHashes;
        uint256 inputBytes;
        uint256 outputBytes;
    }

    struct Batch {
        bytes32 root;
        bytes32 seed;
        uint256 answers; // a bit for each sample
        uint64 drawBlock;
        uint32 count;
        uint32 open; // samples without an answer
        bool settled;
    }

    /// @param position Which of the samples it is.
    /// @param request What the client called the inference.
    /// @param path The nodes beside the way from the leaf to the root, the lowest first.
    /// @param proof The call of verifyProof with the proof.
    struct Answer {
        uint256 position;
        bytes32 request;
        bytes32[] path;
        bytes proof;
    }

    bytes32 private constant TAG = keccak256("zkgpu audit 1");
    uint256 private constant MOST = 2 ** 20 - 1;
    uint256 private constant KNOWN_BLOCKS = 256; // whose hashes every EVM knows
    address private constant HISTORY = 0x0000F90827F1C53a10cb7A02335B175320002935; // EIP-2935: those of 8,191 blocks
    uint256 private constant FIXED_BYTES = 448; // of a header before its difficulty
    uint256 private constant FIELDS_BETWEEN = 6; // from there to prevRandao

    address public immutable operator;
    address public immutable verifier;

    uint256 public immutable bond;
    uint256 public immutable reward;
    uint256 public immutable samples;
    uint256 public immutable most;
    uint256 public immutable delay;
    uint256 public immutable window;

    bytes32 public immutable model;
    bytes4 public immutable selector;
    uint256 public immutable weightsHash;
    bool private immutable showsWeights;
    // places in a call: where hashes of inputs begin, those of outputs, and packed inputs, packed outputs, and their end
    uint256 private immutable inputHashesAt;
    uint256 private immutable weightsHashAt;
    uint256 private immutable outputHashesAt;
    uint256 private immutable hashesEnd;
    uint256 private immutable inputsAt;
    uint256 private immutable outputsAt;
    uint256 private immutable outputsEnd;
    uint256 private immutable callBytes;

    Batch[] public batches;

    /// @notice Wei that may be withdrawn.
    mapping(address => uint256) public credit;

    constructor(address verifier_, Terms memory terms, Model memory of_) {
        if (verifier_.code.length == 0) revert WrongTerms();
        if (terms.reward >= terms.bond || terms.samples == 0 || terms.samples > 256) revert WrongTerms();
        if (terms.most == 0 || terms.most > MOST || terms.delay == 0 || terms.window < KNOWN_BLOCKS) revert WrongTerms();
        if (terms.delay > type(uint32).max || terms.window > type(uint32).max) revert WrongTerms();
        if (of_.weightsHashes > 1) revert WrongTerms();
        operator = msg.sender;
        verifier = verifier_;
        (bond, reward, samples) = (terms.bond, terms.reward, terms.samples);
        (most, delay, window) = (terms.most, terms.delay, terms.window);
        (model, selector, weightsHash) = (of_.model, of_.selector, of_.weightsHash);
        showsWeights = of_.weightsHashes == 1;

        uint256 place = 4 + 32 * of_.proofWords;
        inputHashesAt = place;
        weightsHashAt = place += 32 * of_.inputHashes;
        outputHashesAt = place += 32 * of_.weightsHashes;
        hashesEnd = place += 32 * of_.outputHashes;
        uint256 packed = of_.inputBytes + of_.outputBytes;
        if (packed > 0) place += 64;
        inputsAt = place;
        outputsAt = place + of_.inputBytes;
        outputsEnd = place + packed;
        callBytes = place + (packed + 31) / 32 * 32;
    }

    // The operator

    /// @notice Commits to a batch of `count` inferences, and locks the bond, which is sent with it.
    /// @param batch Its number, which its leaves name: the next one, or nothing happens.
    function commit(uint256 batch, bytes32 root, uint256 count) external payable {
        if (msg.sender != operator) revert NotOperator();
        if (batch != batches.length) revert WrongBatch(batches.length);
        if (count == 0 || count > most) revert WrongCount();
        if (msg.value != bond) revert WrongBond();
        uint256 drawBlock = block.number + delay;
        batches.push(Batch(root, 0, 0, uint64(drawBlock), uint32(count), uint32(samplesOf(count)), false));
        emit Committed(batch, root, count, drawBlock);
    }

    /// @notice Answers some of a batch's samples, until its deadline. All of them hold, or none is taken.
    /// @dev Nobody else may: who copied one answer of a call, and had it taken first, would make the rest of the call
    /// fail. An answer is known by its place, not by its proof, which can be changed into another valid one.
    function answer(uint256 batch, Answer[] calldata given) external {
        if (msg.sender != operator) revert NotOperator();
        Batch storage its = batches[batch];
        if (its.seed == 0) revert NotDrawn();
        if (block.number > its.drawBlock + window) revert TooLate();
        uint256[] memory indices = sample(its.seed, its.count, samplesOf(its.count));
        (uint256 answers, bytes32 root, uint256 depth) = (its.answers, its.root, depthOf(its.count));
        bytes32 domain = domainOf(batch);
        for (uint256 i = 0; i < given.length; i++) {
            uint256 position = given[i].position;
            if (position >= indices.length) revert NotASample(position);
            if (answers >> position & 1 == 1) revert AlreadyAnswered(position);
            answers |= 1 << position;
            _requireTrue(given[i], domain, root, depth, indices[position]);
            emit Answered(batch, position, indices[position]);
        }
        its.answers = answers;
        its.open -= uint32(given.length);
    }

    // Anybody

    /// @notice Keeps the randomness of the block that draws, as long as the EVM knows that block's hash.
    /// @dev Not the hash itself draws, of which whoever builds the block can try any number. There is one such block, so
    /// there is no second draw: a batch that nobody had drawn in time has no answers, and ends as any other whose answers
    /// are missing.
    /// @param header Of the block, in RLP.
    function draw(uint256 batch, bytes calldata header) external {
        Batch storage its = batches[batch];
        if (its.seed != 0) revert AlreadyDrawn();
        bytes32 hash = _hashOf(its.drawBlock);
        if (hash == 0) revert NotDrawable();
        if (keccak256(header) != hash) revert WrongHeader();
        bytes32 randao = randaoOf(header);
        its.seed = seedOf(batch, randao, its.root, its.count);
        emit Drawn(batch, randao);
    }

    /// @notice Takes the bond of a batch whose deadline passed while answers were missing: the reward goes to whoever
    /// calls this first, the rest stays here for ever.
    function slash(uint256 batch) external {
        if (_settle(batch) == 0) revert AllAnswered();
        credit[msg.sender] += reward;
        emit Slashed(batch, msg.sender);
    }

    /// @notice Gives the operator back the bond of a batch whose samples were all proven, after the deadline.
    function release(uint256 batch) external {
        if (_settle(batch) != 0) revert NotAllAnswered();
        credit[operator] += bond;
        emit Released(batch);
    }

    /// @notice Pays out what slashing or a release has brought the caller.
    function withdraw() external {
        uint256 amount = credit[msg.sender];
        credit[msg.sender] = 0;
        (bool paid,) = msg.sender.call{value: amount}("");
        if (!paid) revert NotPaid();
    }

    // What others compute as well

    /// @notice Which inferences of a batch must be proven, by position. Reverts before they are drawn.
    function drawn(uint256 batch) external view returns (uint256[] memory) {
        Batch storage its = batches[batch];
        if (its.seed == 0) revert NotDrawn();
        return sample(its.seed, its.count, samplesOf(its.count));
    }

    /// @notice The last block that takes answers to a batch.
    function deadline(uint256 batch) external view returns (uint256) {
        return batches[batch].drawBlock + window;
    }

    /// @notice Whether a batch has this inference at this place: what a client asks of each answer that he was given.
    function includes(
        uint256 batch,
        uint256 index,
        bytes32 request,
        bytes32 inputs,
        bytes32 outputs,
        bytes32[] calldata path
    ) external view returns (bool) {
        Batch storage its = batches[batch];
        bytes32 leaf = leafOf(domainOf(batch), index, request, inputs, outputs);
        return index < its.count && path.length == depthOf(its.count) && rootOf(leaf, index, path) == its.root;
    }

    function samplesOf(uint256 count) public view returns (uint256) {
        return count < samples ? count : samples;
    }

    function domainOf(uint256 batch) public view returns (bytes32) {
        return keccak256(abi.encode(TAG, block.chainid, address(this), model, batch));
    }

    function seedOf(uint256 batch, bytes32 randao, bytes32 root, uint256 count) public view returns (bytes32) {
        return keccak256(abi.encode(domainOf(batch), randao, root, count));
    }

    /// @notice prevRandao in a block's header, which has been held against the block's hash.
    function randaoOf(bytes calldata header) public pure returns (bytes32) {
        uint256 place = FIXED_BYTES;
        for (uint256 i = 0; i < FIELDS_BETWEEN; i++) {
            uint256 first = uint8(header[place]); // of a string: itself below 0x80, else 0x80 and its length
            if (first > 0xb7) revert WrongHeader();
            place += first < 0x80 ? 1 : first - 0x7f;
        }
        if (uint8(header[place]) != 0xa0) revert WrongHeader();
        return bytes32(header[place + 1:place + 33]);
    }

    /// @notice `wanted` different numbers below `count`, every set of them as likely as any other.
    /// @dev Floyd's algorithm (J. Bentley and R. Floyd, A sample of brilliance, CACM 30, 1987). A remainder of 256 bits
    /// by less than 2^20 is uniform but for 2^-236.
    function sample(bytes32 seed, uint256 count, uint256 wanted) public pure returns (uint256[] memory found) {
        found = new uint256[](wanted);
        unchecked {
            for (uint256 i = 0; i < wanted; i++) {
                uint256 last = count - wanted + i;
                uint256 index = uint256(keccak256(abi.encode(seed, i))) % (last + 1);
                for (uint256 j = 0; j < i; j++) {
                    if (found[j] == index) {
                        index = last;
                        break;
                    }
                }
                found[i] = index;
            }
        }
    }

    /// @notice How many nodes lie beside the way from a leaf to the root.
    function depthOf(uint256 count) public pure returns (uint256 depth) {
        while (1 << depth < count) depth++;
    }

    /// @dev A leaf begins with the byte 0 and a node with 1, so that neither is taken for the other.
    function leafOf(bytes32 domain, uint256 index, bytes32 request, bytes32 inputs, bytes32 outputs)
        public
        pure
        returns (bytes32)
    {
        return keccak256(abi.encodePacked(bytes1(0), domain, index, request, inputs, outputs));
    }

    function rootOf(bytes32 node, uint256 index, bytes32[] calldata path) public pure returns (bytes32) {
        for (uint256 i = 0; i < path.length; i++) {
            (bytes32 left, bytes32 right) = index >> i & 1 == 0 ? (node, path[i]) : (path[i], node);
            node = keccak256(abi.encodePacked(bytes1(uint8(1)), left, right));
        }
        return node;
    }

    // 0 for a block to come, and for one whose hash is forgotten.
    function _hashOf(uint256 number) private view returns (bytes32 hash) {
        if (number >= block.number) return 0;
        (bool known, bytes memory said) = HISTORY.staticcall(abi.encode(number));
        if (known && said.length == 32) hash = abi.decode(said, (bytes32));
        if (hash == 0) hash = blockhash(number);
    }

    // A batch ends once, after its deadline. How many answers are missing.
    function _settle(uint256 batch) private returns (uint256) {
        Batch storage its = batches[batch];
        if (block.number <= its.drawBlock + window) revert TooEarly();
        if (its.settled) revert AlreadySettled();
        its.settled = true;
        return its.open;
    }

    // The proof is valid, and what it says is what the tree has at this place: the leaf is computed from the very
    // bytes that the verifier reads, since it accepts no other layout.
    function _requireTrue(Answer calldata given, bytes32 domain, bytes32 root, uint256 depth, uint256 index) private view {
        bytes calldata call_ = given.proof;
        if (call_.length != callBytes || bytes4(call_) != selector) revert WrongCall(given.position);
        if (showsWeights && uint256(bytes32(call_[weightsHashAt:outputHashesAt])) != weightsHash) {
            revert OtherWeights(given.position);
        }
        bytes32 inputs = keccak256(abi.encodePacked(call_[inputHashesAt:weightsHashAt], call_[inputsAt:outputsAt]));
        bytes32 outputs = keccak256(abi.encodePacked(call_[outputHashesAt:hashesEnd], call_[outputsAt:outputsEnd]));
        bytes32 leaf = leafOf(domain, index, given.request, inputs, outputs);
        if (given.path.length != depth || rootOf(leaf, index, given.path) != root) revert NotInTree(given.position);
        (bool called, bytes memory said) = verifier.staticcall(call_);
        if (!called || said.length != 32 || abi.decode(said, (uint256)) != 1) revert InvalidProof(given.position);
    }
}
