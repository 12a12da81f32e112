/** A file is not what its kind asks for. The message says why, in words that follow "FILE: ". */
export class Broken extends Error {
  override readonly name = "Broken";
}
