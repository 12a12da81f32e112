import { gunzipSync, inflateSync } from "node:zlib";
import { Broken } from "./broken.ts";
import { checkTag, NBT_BYTES_MAX, unpacked } from "./nbt.ts";

/**
 * Minecraft's region files: 1,024 chunks in sectors of 4 KiB, behind a header of two sectors that tells where each lies and when it was saved.
 * A chunk is its length (4 bytes, big-endian, with the byte that follows), how it is packed (1 byte), and NBT.
 * Source: https://minecraft.wiki/w/Region_file_format, https://minecraft.wiki/w/Anvil_file_format
 */
const SECTOR_BYTES = 4096;
const HEADER_SECTORS = 2;
const CHUNKS = 1024;
const CHUNK_HEADER_BYTES = 5;
/** 1 gzip, 2 zlib, 3 not packed, 4 LZ4, 127 what a plugin likes. With 128 added, the content lies in a `.mcc` file beside the region. */
const GZIP = 1;
const ZLIB = 2;
const PLAIN = 3;
const LZ4 = 4;
const CUSTOM = 127;
const EXTERNAL = 128;

/** What is read of a region file. */
export interface RegionSource {
  bytes: number;
  /** Exactly so many bytes; whoever asks has looked at `bytes`. */
  read(offset: number, length: number): Buffer;
}

/** Looks at the header, at where each chunk lies, and into each chunk. @throws Broken */
export function checkRegion({ bytes, read }: RegionSource): void {
  // The game makes a file before it has a chunk for it.
  if (bytes === 0) return;
  if (bytes < HEADER_SECTORS * SECTOR_BYTES) throw new Broken(`it ends within its header: ${bytes} bytes`);
  const header = read(0, SECTOR_BYTES);
  const owners = new Map<number, number>();
  for (let chunk = 0; chunk < CHUNKS; chunk += 1) {
    const place = header.readUInt32BE(chunk * 4);
    if (place === 0) continue;
    const [first, sectors] = [place >>> 8, place & 0xff];
    const fail = (what: string) => new Broken(`chunk ${chunk % 32}, ${Math.floor(chunk / 32)}: ${what}`);
    if (first < HEADER_SECTORS || sectors === 0) throw fail(`the header places it at sector ${first} with a length of ${sectors}`);
    for (let sector = first; sector < first + sectors; sector += 1) {
      const other = owners.get(sector);
      if (other !== undefined) throw fail(`it shares sector ${sector} with chunk ${other % 32}, ${Math.floor(other / 32)}`);
      owners.set(sector, chunk);
    }
    checkChunk({ bytes, read }, first * SECTOR_BYTES, sectors * SECTOR_BYTES, fail);
  }
}

function checkChunk({ bytes, read }: RegionSource, offset: number, room: number, fail: (what: string) => Broken): void {
  if (offset + CHUNK_HEADER_BYTES > bytes) throw fail(`it begins at byte ${offset}, and the file has ${bytes}`);
  const head = read(offset, CHUNK_HEADER_BYTES);
  const length = head.readUInt32BE(0);
  if (length < 1 || length + 4 > room) throw fail(`it says that it has ${length} bytes, and has room for ${room - 4}`);
  if (offset + 4 + length > bytes) throw fail(`it ends at byte ${offset + 4 + length}, and the file has ${bytes}`);
  const type = head.readUInt8(4);
  const packing = type & ~EXTERNAL;
  if (![GZIP, ZLIB, PLAIN, LZ4, CUSTOM].includes(packing)) throw fail(`nothing is packed as ${type}`);
  // Its content is in another file, or packed in a way that only the game knows.
  if (type !== packing || packing === LZ4 || packing === CUSTOM) return;
  const packed = read(offset + CHUNK_HEADER_BYTES, length - 1);
  try {
    checkTag(plain(packed, packing));
  } catch (error) {
    throw error instanceof Broken ? fail(error.message) : error;
  }
}

function plain(packed: Buffer, packing: number): Buffer {
  if (packing === PLAIN) return packed;
  const options = { maxOutputLength: NBT_BYTES_MAX };
  return unpacked(() => (packing === GZIP ? gunzipSync(packed, options) : inflateSync(packed, options)));
}
