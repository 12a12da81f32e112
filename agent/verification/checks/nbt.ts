import { gunzipSync, inflateSync } from "node:zlib";
import { Broken } from "./broken.ts";

/**
 * Minecraft's named binary tags. A file is one named tag, a compound, plain or in gzip or zlib. Numbers are big-endian in the Java Edition and
 * little-endian in Bedrock, whose level.dat begins with a version and the length of what follows.
 * Source: https://minecraft.wiki/w/NBT_format, https://minecraft.wiki/w/Bedrock_Edition_level_format
 */

/** The game itself reads no deeper than 512 levels. Source: https://minecraft.wiki/w/NBT_format */
const DEPTH_MAX = 512;
/** An NBT file that grows beyond this is not parsed: nothing of a game is so large in one piece. In bytes. */
export const NBT_BYTES_MAX = 256 * 1024 * 1024;
const BEDROCK_HEADER_BYTES = 8;
const COMPOUND = 10;
const LIST = 9;

/** Bytes of each tag of a fixed length. */
const FIXED: Readonly<Record<number, number>> = { 1: 1, 2: 2, 3: 4, 4: 8, 5: 4, 6: 8 };
/** Bytes of an element of each array. */
const ARRAYS: Readonly<Record<number, number>> = { 7: 1, 11: 4, 12: 8 };

/** Parses a whole file. @throws Broken */
export function checkNbt(file: Buffer): void {
  if (file.length === 0) throw new Broken("it is empty");
  const options = { maxOutputLength: NBT_BYTES_MAX };
  const bedrock = file.length > BEDROCK_HEADER_BYTES && file.readUInt32LE(4) === file.length - BEDROCK_HEADER_BYTES;
  if (file[0] === 0x1f && file[1] === 0x8b) checkTag(unpacked(() => gunzipSync(file, options)));
  else if (file[0] === 0x78) checkTag(unpacked(() => inflateSync(file, options)));
  else checkTag(bedrock ? file.subarray(BEDROCK_HEADER_BYTES) : file, bedrock);
}

/** Walks over one named tag, to its end. @throws Broken */
export function checkTag(bytes: Buffer, littleEndian = false): void {
  const reader = new Reader(bytes, littleEndian);
  const type = reader.byte();
  if (type !== COMPOUND && type !== LIST) throw new Broken(`it begins with tag ${type}, and NBT begins with a compound`);
  reader.skip(reader.short());
  reader.payload(type, 0);
  if (reader.left > 0) throw new Broken(`${reader.left} bytes follow its last tag`);
}

export function unpacked(unpack: () => Buffer): Buffer {
  try {
    return unpack();
  } catch (error) {
    throw new Broken(`it cannot be decompressed (${error instanceof Error ? error.message : String(error)})`);
  }
}

class Reader {
  readonly #bytes: Buffer;
  readonly #little: boolean;
  #at = 0;

  constructor(bytes: Buffer, littleEndian: boolean) {
    this.#bytes = bytes;
    this.#little = littleEndian;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  skip(bytes: number): number {
    if (bytes > this.left) throw new Broken(`it ends in the middle of a tag, at byte ${this.#bytes.length}`);
    this.#at += bytes;
    return this.#at - bytes;
  }

  byte(): number {
    return this.#bytes.readUInt8(this.skip(1));
  }

  short(): number {
    const at = this.skip(2);
    return this.#little ? this.#bytes.readUInt16LE(at) : this.#bytes.readUInt16BE(at);
  }

  count(): number {
    const at = this.skip(4);
    const count = this.#little ? this.#bytes.readInt32LE(at) : this.#bytes.readInt32BE(at);
    // The game writes an empty list with a count of 0, and reads any count below as empty.
    return Math.max(0, count);
  }

  payload(type: number, depth: number): void {
    if (depth > DEPTH_MAX) throw new Broken(`its tags are nested in more than ${DEPTH_MAX} levels`);
    const fixed = FIXED[type];
    const element = ARRAYS[type];
    if (fixed !== undefined) this.skip(fixed);
    else if (element !== undefined) this.skip(this.count() * element);
    else if (type === 8) this.skip(this.short());
    else if (type === LIST) this.#list(depth);
    else if (type === COMPOUND) this.#compound(depth);
    else throw new Broken(`there is no tag ${type}, at byte ${this.#at}`);
  }

  #list(depth: number): void {
    const type = this.byte();
    const count = this.count();
    if (type === 0) {
      if (count > 0) throw new Broken(`a list of ${count} tags has no type, at byte ${this.#at}`);
      return;
    }
    const fixed = FIXED[type];
    if (fixed !== undefined) this.skip(count * fixed);
    else for (let n = 0; n < count; n += 1) this.payload(type, depth + 1);
  }

  #compound(depth: number): void {
    for (let type = this.byte(); type !== 0; type = this.byte()) {
      this.skip(this.short());
      this.payload(type, depth + 1);
    }
  }
}
