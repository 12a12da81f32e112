import { freeMemory } from "../free-memory.ts";

/** Text is turned into bytes at such lengths, in characters: shorter than a text can be, and little beside the rest of a backup. */
const PIECE_CHARACTERS = 1024 * 1024;

/** A long text as UTF-8 bytes, written bit by bit: never all of it is there as text, which takes several times as much memory. */
export class TextPieces {
  readonly #pieces: Buffer[] = [];
  #text = "";

  add(text: string): void {
    this.#text += text;
    if (this.#text.length >= PIECE_CHARACTERS) this.#cut();
  }

  finish(): Buffer {
    this.#cut();
    const [first, ...others] = this.#pieces;
    if (first !== undefined && others.length === 0) return first;
    const bytes = Buffer.concat(this.#pieces);
    for (const piece of this.#pieces) freeMemory(piece);
    return bytes;
  }

  #cut(): void {
    this.#pieces.push(Buffer.from(this.#text));
    this.#text = "";
  }
}
