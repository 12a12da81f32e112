import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { deflateSync } from "node:zlib";

const SECTOR = 4096;
const REGIONS = 12;
const CHUNKS_PER_REGION = 500;
const PLAYERS = 200;

/** A repeatable stream of numbers from 0 to 2^32 - 1 (xorshift32). */
function numbers(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Some 50 MB that look like a game's world: region files with compressed chunks in sectors, a SQLite database, players and logs. */
export async function makeDemoWorld(folder: string, seed = 7): Promise<void> {
  const next = numbers(seed);
  const world = join(folder, "world");
  for (const name of ["region", "playerdata", "data/maps", "advancements"]) await mkdir(join(world, name), { recursive: true });
  for (let index = 0; index < REGIONS; index += 1) {
    await writeFile(join(world, "region", `r.${index % 4}.${Math.floor(index / 4)}.mca`), region(next));
  }
  for (let index = 0; index < PLAYERS; index += 1) {
    const name = `player-${index.toString().padStart(3, "0")}`;
    const items = Array.from({ length: 36 }, () => ({ id: next() % 1000, count: (next() % 64) + 1 }));
    await writeFile(join(world, "playerdata", `${name}.json`), JSON.stringify({ name, health: next() % 20, items }, null, 2));
  }
  await writeFile(join(world, "level.json"), JSON.stringify({ name: "Demo world", seed, time: next() }));
  await writeFile(join(world, "data", "maps", "Übersicht der Küste – 地図.txt"), "Names in any script must come back as they were.\n");
  await writeFile(join(world, "empty.lock"), "");
  await symlink("level.json", join(world, "current.json"));
  database(join(world, "economy.db"), next);
  const lines = Array.from(
    { length: 20_000 },
    (_, line) => `[${line.toString().padStart(6, "0")}] chunk ${next() % 4096} saved in ${next() % 90} ms`,
  );
  await writeFile(join(folder, "history.log.txt"), `${lines.join("\n")}\n`);
  await writeFile(join(folder, "server.properties"), "motd=ReconSync demo\nmax-players=20\n");
}

/** A region file: a sector of offsets, a sector of times, then chunks compressed with zlib, each padded to whole sectors. */
function region(next: () => number): Buffer {
  const header = Buffer.alloc(2 * SECTOR);
  const parts: Buffer[] = [header];
  let sector = 2;
  for (let index = 0; index < CHUNKS_PER_REGION; index += 1) {
    const blocks = Buffer.alloc(16_384);
    for (let at = 0; at < blocks.length; at += 4) blocks.writeUInt32LE(at % 64 < 40 ? (next() % 7) * 0x01010101 : next(), at);
    const packed = deflateSync(blocks, { level: 1 });
    const sectors = Math.ceil((packed.length + 5) / SECTOR);
    const chunk = Buffer.alloc(sectors * SECTOR);
    chunk.writeUInt32BE(packed.length + 1, 0);
    chunk[4] = 2;
    packed.copy(chunk, 5);
    header.writeUInt32BE((sector << 8) | sectors, index * 4);
    sector += sectors;
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

function database(file: string, next: () => number): void {
  const db = new DatabaseSync(file);
  db.exec("CREATE TABLE trades (id INTEGER PRIMARY KEY, buyer TEXT, item INTEGER, price REAL, note TEXT)");
  const insert = db.prepare("INSERT INTO trades (buyer, item, price, note) VALUES (?, ?, ?, ?)");
  db.exec("BEGIN");
  for (let row = 0; row < 40_000; row += 1)
    insert.run(`player-${next() % PLAYERS}`, next() % 1000, (next() % 10_000) / 100, `trade ${next().toString(36)}`);
  db.exec("COMMIT");
  db.close();
}
