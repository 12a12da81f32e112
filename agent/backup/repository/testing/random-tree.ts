import {
  chmodSync,
  closeSync,
  existsSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { randomBelow } from "../../../../schemas/testing/random.ts";

const MIB = 1024 * 1024;

/** Names that give archives and JSON trouble. Bytes, since not all of them are UTF-8. */
const ODD_NAMES: readonly Buffer[] = [
  "plain.dat",
  "with space",
  "Ümläut",
  "日本語 🗺️",
  'quote"s',
  "it's",
  "<angle> & amp",
  "back\\slash",
  "tab\there",
  "line\nfeed",
  "bell\u0007",
  "u2028\u2028here",
  "-leading",
  ".hidden",
  "trailing.",
  "c:drive",
  "%percent%",
  "$dollar",
  "a".repeat(250),
]
  .map((name) => Buffer.from(name))
  .concat([Buffer.from([0x66, 0xff, 0xfe, 0x2e, 0x64]), Buffer.from([0xc3, 0x28])]);

const HOUR_S = 3600;
/** Times from 1971 to 2100, in seconds. */
const LATEST_S = 4_102_444_800;

/**
 * A folder that is filled and changed at random: the same for the same seed, up to inode numbers and change times. Small and huge, sparse and empty files, links of both
 * kinds, odd names, modes and times.
 */
export class RandomTree {
  readonly root: string;
  readonly #below: (bound: number) => number;
  #files: Buffer[] = [];
  #folders: Buffer[] = [];
  #counter = 0;

  constructor(root: string, seed: number) {
    this.root = root;
    this.#below = randomBelow(seed);
    mkdirSync(root, { recursive: true });
    this.#folders.push(Buffer.from(root));
    const entries = 5 + this.#below(60);
    for (let at = 0; at < entries; at += 1) this.#add();
    if (this.#below(3) === 0) this.#huge();
  }

  /** Some adds, edits, renames, removals. */
  change(): void {
    const changes = 1 + this.#below(15);
    for (let at = 0; at < changes; at += 1) {
      const what = this.#below(10);
      if (what < 3) this.#add();
      else if (what < 7) this.#edit();
      else if (what < 9) this.#rename();
      else this.#remove();
    }
  }

  #pick<T>(list: readonly T[]): T | undefined {
    return list.length === 0 ? undefined : list[this.#below(list.length)];
  }

  /** A path in one of the folders that nothing has yet. */
  #freshPath(): Buffer {
    const folder = this.#pick(this.#folders) ?? Buffer.from(this.root);
    for (;;) {
      const odd = this.#below(4) === 0 ? this.#pick(ODD_NAMES) : undefined;
      const path = Buffer.concat([folder, Buffer.from("/"), odd ?? Buffer.from(`file-${this.#counter++}`)]);
      if (!exists(path)) return path;
      this.#counter += 1;
      const numbered = Buffer.concat([folder, Buffer.from(`/n${this.#counter}`)]);
      if (!exists(numbered)) return numbered;
    }
  }

  #add(): void {
    const path = this.#freshPath();
    const kind = this.#below(20);
    if (kind < 4) {
      mkdirSync(path);
      this.#folders.push(path);
    } else if (kind === 4) {
      symlinkSync(
        this.#pick([
          Buffer.from("../somewhere/else"),
          Buffer.from("nowhere"),
          Buffer.from([0x2f, 0xff, 0x2f]),
          ...this.#files.map((file) => file.subarray(this.root.length + 1)),
        ]) ?? "x",
        path,
      );
      lutimesSync(path, this.#time(), this.#time());
      return;
    } else if (kind === 5 && this.#files.length > 0) {
      linkSync(this.#pick(this.#files) ?? path, path);
      this.#files.push(path);
      return;
    } else if (kind === 6) {
      this.#sparse(path);
    } else {
      writeFileSync(path, this.#content());
      this.#files.push(path);
    }
    chmodSync(path, kind < 4 ? 0o755 : (this.#pick([0o644, 0o600, 0o755, 0o444, 0o666, 0o4755, 0o2640]) ?? 0o644));
    utimesSync(path, this.#time(), this.#time());
  }

  #sparse(path: Buffer): void {
    const file = openSync(path, "w");
    ftruncateSync(file, this.#below(64) * MIB + this.#below(5000));
    if (this.#below(2) === 0) writeSync(file, this.#bytes(5000), 0, 5000, this.#below(10) * MIB);
    closeSync(file);
    this.#files.push(path);
  }

  #huge(): void {
    const path = this.#freshPath();
    writeFileSync(path, Buffer.concat([this.#bytes(8 * MIB + this.#below(20 * MIB)), Buffer.alloc(3 * MIB), this.#text(2 * MIB)]));
    this.#files.push(path);
  }

  #edit(): void {
    const path = this.#pick(this.#files);
    if (path === undefined || !exists(path)) return;
    const size = lstatSync(path).size;
    const how = this.#below(4);
    if (how === 0) writeFileSync(path, this.#content());
    else {
      chmodSync(path, 0o644);
      const file = openSync(path, "r+");
      const piece = this.#bytes(1 + this.#below(70_000));
      if (how === 1) writeSync(file, piece, 0, piece.length, size);
      else if (how === 2) writeSync(file, piece, 0, piece.length, this.#below(Math.max(1, size)));
      else ftruncateSync(file, this.#below(size + 1));
      closeSync(file);
    }
  }

  #rename(): void {
    const path = this.#pick(this.#files);
    if (path === undefined || !exists(path)) return;
    const to = this.#freshPath();
    renameSync(path, to);
    this.#files = this.#files.map((file) => (file.equals(path) ? to : file));
  }

  #remove(): void {
    const path = this.#pick([...this.#files, ...this.#folders.slice(1)]);
    if (path === undefined) return;
    rmSync(path, { recursive: true, force: true });
    const inside = Buffer.concat([path, Buffer.from("/")]);
    const stays = (other: Buffer) => !other.equals(path) && !other.subarray(0, inside.length).equals(inside);
    this.#files = this.#files.filter(stays);
    this.#folders = this.#folders.filter(stays);
  }

  #content(): Buffer {
    switch (this.#below(6)) {
      case 0:
        return Buffer.alloc(0);
      case 1:
        return this.#bytes(this.#below(3 * MIB));
      case 2:
        return this.#text(this.#below(2 * MIB));
      case 3:
        return Buffer.alloc(this.#below(MIB));
      case 4: {
        const other = this.#pick(this.#files);
        return other !== undefined && exists(other) && lstatSync(other).size < 4 * MIB ? readFileSync(other) : this.#bytes(10);
      }
      default:
        return this.#bytes(this.#below(4000));
    }
  }

  #bytes(length: number): Buffer {
    const words = new Uint32Array(Math.ceil(length / 4));
    for (let at = 0; at < words.length; at += 1) words[at] = this.#below(2 ** 32);
    return Buffer.from(words.buffer, 0, length);
  }

  #text(length: number): Buffer {
    const words = Array.from({ length: 50 }, () => `${this.#below(1e9).toString(36)} `);
    let text = "";
    while (text.length < length) text += words[this.#below(words.length)] ?? "";
    return Buffer.from(text.slice(0, length));
  }

  #time(): number {
    return this.#below(LATEST_S - HOUR_S) + HOUR_S + this.#below(1_000_000) / 1e6;
  }
}

function exists(path: Buffer): boolean {
  return existsSync(path) || lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
