/** The largest stored block of deflate, in bytes (RFC 1951, 3.2.4). */
const STORED_MAX = 65_535;
/** Bits of a fixed-code block (RFC 1951, 3.2.6), Huffman codes turned round, since they go in with their first bit first. */
const FIXED_BLOCK = { value: 0b010, bits: 3 } as const;
const STORED_BLOCK = { value: 0b000, bits: 3 } as const;
const END_OF_BLOCK = { value: 0, bits: 7 } as const;
const LITERAL_ZERO = { value: 0b00001100, bits: 8 } as const;
/** "One byte back", the code of a match's distance. */
const DISTANCE_ONE = { value: 0, bits: 5 } as const;
const MATCH_MIN = 3;
const MATCH_MAX = 258;

/** Memory that grows as it is filled, with what deflate can say in few bytes. What it holds after each call but `zeros` ends at a whole byte. */
export class DeflateOutput {
  readonly #given: Uint8Array;
  #buffer: Buffer;
  #length = 0;
  /** Bits that do not fill a byte yet. */
  #bits = 0;
  #bitCount = 0;

  /** Fills this memory first, and takes more when that does not suffice. */
  constructor(memory: Uint8Array) {
    this.#given = memory;
    this.#buffer = Buffer.from(memory.buffer, memory.byteOffset, memory.length);
  }

  get length(): number {
    return this.#length;
  }

  /** What it holds. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** What another thread needs to find what it holds: how much of the memory that was given, or the bytes when that was not enough. */
  answer(): number | Uint8Array {
    return this.#buffer.buffer === this.#given.buffer ? this.#length : this.bytes;
  }

  /** Appends bytes as they are, where no bits are open. */
  append(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Makes room for bytes that `fill` will write, and answers where they begin. */
  reserve(bytes: number): number {
    const at = this.#length;
    this.#room(bytes);
    this.#length += bytes;
    return at;
  }

  fill(at: number, bytes: Uint8Array): void {
    this.#buffer.set(bytes, at);
  }

  /** Forgets what came after this point. */
  rewind(length: number): void {
    this.#length = length;
    this.#bits = 0;
    this.#bitCount = 0;
  }

  /** Stored blocks, one at least. */
  store(bytes: Uint8Array): void {
    let at = 0;
    do {
      const piece = bytes.subarray(at, at + STORED_MAX);
      this.#put(STORED_BLOCK);
      this.#align();
      this.#room(4);
      this.#buffer.writeUInt16LE(piece.length, this.#length);
      this.#buffer.writeUInt16LE(~piece.length & 0xffff, this.#length + 2);
      this.#length += 4;
      this.append(piece);
      at += piece.length;
    } while (at < bytes.length);
  }

  /** A run of zeros as a block of matches. Leaves bits open: `store` must follow. */
  zeros(count: number): void {
    this.#put(FIXED_BLOCK);
    this.#put(LITERAL_ZERO);
    let left = count - 1;
    for (; left >= MATCH_MIN; left -= Math.min(left, MATCH_MAX)) this.#match(Math.min(left, MATCH_MAX));
    for (; left > 0; left -= 1) this.#put(LITERAL_ZERO);
    this.#put(END_OF_BLOCK);
  }

  #match(length: number): void {
    const { symbol, extraBits, extra } = lengthSymbol(length);
    if (symbol < 280) this.#put({ value: reversed(symbol - 256, 7), bits: 7 });
    else this.#put({ value: reversed(0b11000000 + symbol - 280, 8), bits: 8 });
    this.#put({ value: extra, bits: extraBits });
    this.#put(DISTANCE_ONE);
  }

  #put({ value, bits }: { value: number; bits: number }): void {
    this.#bits |= value << this.#bitCount;
    this.#bitCount += bits;
    while (this.#bitCount >= 8) this.#byte();
  }

  #align(): void {
    if (this.#bitCount > 0) this.#byte();
    this.#bitCount = 0;
  }

  #byte(): void {
    this.#room(1);
    this.#buffer[this.#length] = this.#bits & 0xff;
    this.#length += 1;
    this.#bits >>>= 8;
    this.#bitCount -= 8;
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** How deflate names the length of a match: 3 to 258 (RFC 1951, 3.2.5). */
function lengthSymbol(length: number): { symbol: number; extraBits: number; extra: number } {
  if (length === MATCH_MAX) return { symbol: 285, extraBits: 0, extra: 0 };
  const beyond = length - MATCH_MIN;
  if (beyond < 8) return { symbol: 257 + beyond, extraBits: 0, extra: 0 };
  const extraBits = 29 - Math.clz32(beyond);
  return { symbol: 261 + 4 * extraBits + ((beyond >> extraBits) & 3), extraBits, extra: beyond & ((1 << extraBits) - 1) };
}

function reversed(value: number, bits: number): number {
  let result = 0;
  for (let bit = 0; bit < bits; bit += 1) result |= ((value >> bit) & 1) << (bits - 1 - bit);
  return result;
}
