import { expect, test } from "vitest";
import { randomBelow } from "../../../../schemas/testing/random.ts";
import { AgentError } from "../../../errors.ts";
import { Cipher } from "./cipher.ts";
import { decompress } from "./compression.ts";
import { decodeConfig } from "./config-file.ts";
import { CorruptError } from "./corrupt.ts";
import { openDocument, sealDocument } from "./document.ts";
import { hashOf } from "./ids.ts";
import { decodeIndex, encodeIndex } from "./index-file.ts";
import { newMasterKey, openKeyFile } from "./key-file.ts";
import { decodeLock, encodeLock } from "./lock-file.ts";
import { headerLength, PackBuilder, parsePackHeader } from "./pack.ts";
import { decodeSnapshot, encodeSnapshot } from "./snapshot.ts";
import { decodeTree, encodeTree } from "./tree.ts";

const SEED = Number(process.env.RECONSYNC_SEED ?? 20261122);
const LONG = process.env.RECONSYNC_LONG === "1";
const ROUNDS = LONG ? 20_000 : 1_500;
const KIB = 1024;

const below = randomBelow(SEED);
const cipher = new Cipher(newMasterKey());
const ID = hashOf(Buffer.from("a"));
const WORDS =
  '{ } [ ] : , " \\ null true 0 -1 1e400 18446744073709551615 99999999999999999999 "id" "name" "\\\\xff" "\\\\q" {"nodes": "__proto__"'.split(
    " ",
  );

const random = (length: number) => Buffer.from(Uint8Array.from({ length }, () => below(256)));

/** Some bytes changed, cut out, put in; now and then a word that JSON knows. */
function mutate(bytes: Buffer): Buffer {
  let changed = Buffer.from(bytes);
  for (let times = 1 + below(4); times > 0; times -= 1) {
    const at = below(changed.length + 1);
    const how = below(5);
    if (how === 0 && at < changed.length) changed[at] = (changed[at] ?? 0) ^ (1 << below(8));
    else if (how === 1) changed = changed.subarray(0, at);
    else if (how === 2) changed = Buffer.concat([changed.subarray(0, at), random(below(20)), changed.subarray(at)]);
    else if (how === 3)
      changed = Buffer.concat([changed.subarray(0, at), Buffer.from(WORDS[below(WORDS.length)] ?? ""), changed.subarray(at)]);
    else changed = Buffer.concat([changed.subarray(0, at), changed.subarray(Math.min(changed.length, at + below(12)))]);
  }
  return changed;
}

/** A value or a CorruptError, nothing else but that a config's version is not known. Answers whether it was an error. */
function refuses(decode: () => unknown): boolean {
  try {
    decode();
    return false;
  } catch (error) {
    if (error instanceof CorruptError || (error instanceof AgentError && error.code === "repository-version")) return true;
    throw error;
  }
}

const master = new PackBuilder(cipher, "data", KIB);
for (const length of [1, 100, 1000]) master.add(hashOf(random(length)), random(length), 1);
const PACK = Buffer.from(master.finish().bytes);

const open = (type: "index" | "snapshots" | "locks", { name, bytes }: { name: string; bytes: Buffer }) =>
  Buffer.from(openDocument(cipher, type, name, bytes));
const INDEX = open(
  "index",
  encodeIndex(cipher, 2, [{ id: ID, blobs: [{ id: ID, type: "data", offset: 0, length: 40, uncompressedLength: 7 }] }], [ID]),
);
const SNAPSHOT = open(
  "snapshots",
  encodeSnapshot(cipher, 2, { time: "2026-11-22T20:00:00Z", tree: ID, paths: ["/a"], hostname: "h", username: "u", tags: ["t"], uid: 1 }),
);
const LOCK = open("locks", encodeLock(cipher, 2, { time: "2026-11-22T20:00:00Z", exclusive: false, hostname: "h", username: "u", pid: 1 }));
const TREE = encodeTree([
  {
    name: Buffer.from([0x61, 0xff, 0x22, 0x3c]),
    type: "file",
    mode: 0o4755,
    mtimeNs: 1n,
    atimeNs: 1n,
    ctimeNs: -1n,
    uid: 0,
    gid: 0,
    user: "root",
    inode: 2n ** 64n - 1n,
    content: [ID],
    extendedAttributes: [{ name: "user.a", value: Buffer.of(1, 2) }],
    unknown: { generic_attributes: { "windows.file_attributes": 32 } },
  },
]);

const TEXT_DECODERS: [string, Buffer, (bytes: Buffer) => unknown][] = [
  ["tree", TREE, (bytes) => encodeTreeOf(bytes)],
  ["index", INDEX, (bytes) => decodeIndex(bytes.toString(), ID)],
  ["snapshot", SNAPSHOT, (bytes) => decodeSnapshot(bytes.toString(), ID)],
  ["lock", LOCK, (bytes) => decodeLock(bytes.toString(), ID)],
  [
    "config",
    Buffer.from(`{"version":2,"id":"${ID}","chunker_polynomial":"2c1c5f0a21ad8b"}`),
    (bytes) => decodeConfig(cipher, cipher.seal(bytes)),
  ],
  ["sealed document", Buffer.from('{"a":1}'), (bytes) => openDocumentOf(bytes)],
  ["pack header", random(41), (bytes) => parsePackHeader(cipher, cipher.seal(bytes), "pack")],
  ["length of a header", PACK.subarray(-4), (bytes) => headerLength(bytes, below(10_000), "pack")],
  [
    "compressed blob",
    Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), random(30)]),
    (bytes) => decompress(bytes, undefined, 64 * KIB, "blob"),
  ],
];

/** What was read can be written again. */
function encodeTreeOf(bytes: Buffer): unknown {
  const nodes = decodeTree(bytes, "tree");
  const names = new Set(nodes.map((node) => node.name.toString("hex")));
  return names.size === nodes.length ? encodeTree(nodes) : nodes;
}

function openDocumentOf(bytes: Buffer): string {
  const sealed = cipher.seal(bytes);
  return openDocument(cipher, "index", hashOf(sealed), sealed);
}

test.each(TEXT_DECODERS)("Random bytes for a %s give a value or a CorruptError", (_what, _valid, decode) => {
  let refused = 0;
  for (let round = 0; round < ROUNDS; round += 1) if (refuses(() => decode(random(below(200))))) refused += 1;
  expect(refused).toBeGreaterThan(0);
});

test.each(TEXT_DECODERS)("A %s that was changed at random gives a value or a CorruptError", (_what, valid, decode) => {
  let refused = 0;
  for (let round = 0; round < ROUNDS; round += 1) if (refuses(() => decode(mutate(valid)))) refused += 1;
  expect(refused).toBeGreaterThan(0);
});

test("A key file that was changed at random gives a key, null or a CorruptError", async () => {
  const valid = Buffer.from(
    `{"created":"2026-11-22T20:00:00Z","username":"u","hostname":"h","kdf":"scrypt","N":2,"r":1,"p":1,"salt":"AAAA","data":"${random(120).toString("base64")}"}`,
  );
  for (let round = 0; round < ROUNDS / 5; round += 1) {
    const bytes = round % 3 === 0 ? random(below(300)) : mutate(valid);
    // Numbers that mutation makes larger would be worked off.
    const error =
      /"N":2,"r":1,"p":1,/.test(bytes.toString()) || round % 3 === 0
        ? await openKeyFile(bytes, Buffer.from("p")).catch((it: unknown) => it)
        : null;
    expect(error === null || error instanceof CorruptError, String(error)).toBe(true);
  }
});

test("A flipped bit of any sealed object is a CorruptError", () => {
  const sealed: [string, Buffer, (bytes: Buffer) => unknown][] = [
    [
      "config",
      cipher.seal(Buffer.from(`{"version":2,"id":"${ID}","chunker_polynomial":"2c1c5f0a21ad8b"}`)),
      (bytes) => decodeConfig(cipher, bytes),
    ],
    [
      "header",
      PACK.subarray(-4 - headerLength(PACK.subarray(-4), PACK.length, "pack"), -4),
      (bytes) => parsePackHeader(cipher, bytes, "pack"),
    ],
    ["tree", cipher.seal(TREE), (bytes) => decodeTree(cipher.open(bytes, "tree"), "tree")],
  ];
  for (const type of ["index", "snapshots", "locks"] as const) {
    const { name, bytes } = sealDocument(cipher, 2, { some: "words" });
    sealed.push([type, bytes, (changed) => openDocument(cipher, type, name, changed)]);
    sealed.push([`${type}, under a new name`, bytes, (changed) => openDocument(cipher, type, hashOf(changed), changed)]);
  }
  for (const [what, bytes, decode] of sealed) {
    expect(
      refuses(() => decode(bytes)),
      what,
    ).toBe(false);
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(
        refuses(() => decode(changed)),
        `${what}, bit ${bit}`,
      ).toBe(true);
    }
  }
});

test("Brackets in brackets in brackets are no way out of the stack", () => {
  const deep = 200_000;
  for (const text of [
    "[".repeat(deep) + "]".repeat(deep),
    `{"nodes":[{"name":"a","x":${"[".repeat(deep)}1234567890123456789${"]".repeat(deep)}}]}`,
  ]) {
    expect(refuses(() => decodeTree(Buffer.from(text), "tree"))).toBe(true);
    expect(() => refuses(() => decodeIndex(text, ID))).not.toThrow();
  }
});
