import { AgentError } from "../../../errors.ts";
import type { Cipher } from "./cipher.ts";
import { goJson } from "./go-json.ts";
import type { Id } from "./ids.ts";
import { toPolynomial } from "./polynomial.ts";
import { Shape } from "./shape.ts";

const WHAT = "config";

/** What a repository is. Its one file that has no hash for a name. */
export interface RepositoryConfig {
  /** 2: contents may be compressed. */
  version: 1 | 2;
  id: Id;
  /** By which files are cut into chunks, in hex. */
  chunker_polynomial: string;
}

/** Encrypted, and in no version compressed. */
export function encodeConfig(cipher: Cipher, { version, id, chunker_polynomial }: RepositoryConfig): Buffer {
  return cipher.seal(Buffer.from(goJson({ version, id, chunker_polynomial })));
}

/** @throws CorruptError; AgentError `repository-version` when the format is newer than this program. */
export function decodeConfig(cipher: Cipher, bytes: Buffer): RepositoryConfig {
  const shape = Shape.parse(cipher.open(bytes, WHAT).toString(), WHAT);
  const version = shape.count("version");
  if (version !== 1 && version !== 2) {
    throw new AgentError(
      "repository-version",
      `The repository has version ${version} of its format. Versions 1 and 2 are known here: update ReconSync, or use restic.`,
    );
  }
  const chunker_polynomial = shape.string("chunker_polynomial");
  toPolynomial(chunker_polynomial);
  return { version, id: shape.id("id"), chunker_polynomial };
}
