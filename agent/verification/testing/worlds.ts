import { deflateSync, gzipSync } from "node:zlib";

/** Files as games write them, small and whole. */

const name = (text: string) => Buffer.concat([Buffer.from([0, text.length]), Buffer.from(text)]);

/** A compound with an int, a string, a list of doubles, an array of longs and a nested list of compounds. */
export function nbt(value = 7): Buffer {
  const int = Buffer.alloc(4);
  int.writeInt32BE(value);
  const count = (n: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(n);
    return bytes;
  };
  return Buffer.concat([
    ...[Buffer.from([10]), name("")],
    ...[Buffer.from([10]), name("Data")],
    ...[Buffer.from([3]), name("SpawnX"), int],
    ...[Buffer.from([8]), name("LevelName"), name("world")],
    ...[Buffer.from([9]), name("Pos"), Buffer.from([6]), count(3), Buffer.alloc(24)],
    ...[Buffer.from([12]), name("Heights"), count(5), Buffer.alloc(40)],
    ...[
      Buffer.from([9]),
      name("Sections"),
      Buffer.from([10]),
      count(2),
      Buffer.from([1]),
      name("Y"),
      Buffer.from([3, 0]),
      Buffer.from([0]),
    ],
    ...[Buffer.from([9]), name("Empty"), Buffer.from([0]), count(0)],
    Buffer.from([0, 0]),
  ]);
}

export const levelDat = (value?: number) => gzipSync(nbt(value));

const SECTOR = 4096;

/** A region file with so many chunks, one a sector, packed by zlib. */
export function region(chunks = 4): Buffer {
  const header = Buffer.alloc(2 * SECTOR);
  const sectors: Buffer[] = [];
  for (let chunk = 0; chunk < chunks; chunk += 1) {
    header.writeUInt32BE(((2 + chunk) << 8) | 1, chunk * 4);
    const packed = deflateSync(nbt(chunk));
    const sector = Buffer.alloc(SECTOR);
    sector.writeUInt32BE(packed.length + 1, 0);
    sector.writeUInt8(2, 4);
    packed.copy(sector, 5);
    sectors.push(sector);
  }
  return Buffer.concat([header, ...sectors]);
}
