/** A file is not what it should be: what is wrong, and where. */
export declare class FormatError extends Error {
  constructor(message: string);
}

/** Anybody can forge proofs for the verifying key. */
export declare class InsecureKeyError extends FormatError {}

/** A public array of a model: integers from low to high. */
export interface PackedArray {
  readonly name: string;
  readonly shape: readonly number[];
  readonly low: bigint;
  readonly high: bigint;
}

/** A verifying key that has been checked, ready for many proofs. */
export declare class Verifier {
  /**
   * @param key the parsed verification_key.json
   * @throws FormatError for what is none, InsecureKeyError for one that anybody can forge proofs for
   */
  constructor(key: unknown);

  /** Whether the key says that one party made it, who can forge proofs. */
  readonly isUnsafe: boolean;

  /** Whether it is of a circuit with a commitment, as models have. */
  readonly isCommitted: boolean;

  /** The public arrays that a proof comes with, in order. */
  readonly arrays: readonly PackedArray[];

  /**
   * Whether a proof convinces that the circuit holds for the public values.
   *
   * @param proof the parsed proof.json
   * @param publicValues the parsed public.json
   * @throws FormatError for what is none, or is for a key of another form
   */
  verify(proof: unknown, publicValues: unknown): boolean;
}

/** A public tensor of a model: real numbers are scale times integers, which are in C order. */
export interface Tensor {
  name: string;
  role: string;
  shape: number[];
  integers: bigint[];
  scale: number;
  labels: string[];
}

/**
 * What a model's proof shows. It does not verify the proof.
 *
 * @param statement the parsed statement.json, which lies beside the verifying key
 * @param publicValues the parsed public.json
 * @param verifier of the same model
 * @throws FormatError where these do not belong together
 */
export declare function shown(statement: unknown, publicValues: unknown, verifier: Verifier): Tensor[];
