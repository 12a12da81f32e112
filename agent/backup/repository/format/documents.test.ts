import { describe, expect, test } from "vitest";
import { Cipher } from "./cipher.ts";
import { decodeConfig, encodeConfig } from "./config-file.ts";
import { CorruptError } from "./corrupt.ts";
import { openDocument, sealDocument } from "./document.ts";
import { hashOf, isId } from "./ids.ts";
import { decodeIndex, encodeIndex } from "./index-file.ts";
import { newMasterKey } from "./key-file.ts";
import { decodeLock, encodeLock, type Lock } from "./lock-file.ts";
import { decodeSnapshot, encodeSnapshot, type Snapshot } from "./snapshot.ts";

const cipher = new Cipher(newMasterKey());
const ID = hashOf(Buffer.from("a"));
const OTHER = hashOf(Buffer.from("b"));
const POLYNOMIAL = "2c1c5f0a21ad8b";

describe.each([1, 2] as const)("In version %i", (version) => {
  test("a document comes back, and is named by its bytes", () => {
    const { name, bytes } = sealDocument(cipher, version, { text: "<ü>", list: [1, 2] });
    expect(name).toBe(hashOf(bytes));
    expect(openDocument(cipher, "index", name, bytes)).toBe('{"text":"\\u003cü\\u003e","list":[1,2]}');
    expect(cipher.open(bytes, "document")[0]).toBe(version === 1 ? 0x7b : 2);
  });

  test("an index comes back", () => {
    const packs = [
      {
        id: ID,
        blobs: [
          { id: OTHER, type: "data" as const, offset: 0, length: 40 },
          { id: ID, type: "data" as const, offset: 40, length: 50, uncompressedLength: 1000 },
        ],
      },
      { id: OTHER, blobs: [{ id: OTHER, type: "tree" as const, offset: 0, length: 33, uncompressedLength: 3 }] },
    ];
    const { name, bytes } = encodeIndex(cipher, version, packs, [ID]);
    expect(decodeIndex(openDocument(cipher, "index", name, bytes), name)).toEqual({ packs, supersedes: [ID] });
    const empty = encodeIndex(cipher, version, []);
    expect(decodeIndex(openDocument(cipher, "index", empty.name, empty.bytes), empty.name)).toEqual({ packs: [], supersedes: [] });
  });

  test("a snapshot comes back", () => {
    const snapshot: Omit<Snapshot, "id"> = {
      time: "2026-11-22T20:00:00.5Z",
      tree: ID,
      parent: OTHER,
      original: OTHER,
      paths: ["/srv/world", 'C:\\Spiele\\"Welt"'],
      hostname: "host",
      username: "player",
      uid: 1000,
      gid: 100,
      tags: ["reconsync:stable=yes"],
      excludes: ["*.tmp"],
      programVersion: "reconsync 1.0.0",
      summary: {
        backupStart: "2026-11-22T20:00:00Z",
        backupEnd: "2026-11-22T20:00:01Z",
        filesNew: 1,
        filesChanged: 2,
        filesUnmodified: 3,
        dataAdded: 4,
        dataAddedPacked: 5,
        totalFiles: 6,
        totalBytes: 2 ** 40,
      },
    };
    const { name, bytes } = encodeSnapshot(cipher, version, snapshot);
    expect(decodeSnapshot(openDocument(cipher, "snapshots", name, bytes), name)).toEqual({ ...snapshot, id: name });
  });

  test("a snapshot of few words comes back without others", () => {
    const snapshot: Omit<Snapshot, "id"> = { time: "2026-11-22T20:00:00Z", tree: ID, paths: ["/a"], hostname: "", username: "" };
    const { name, bytes } = encodeSnapshot(cipher, version, { ...snapshot, tags: [], uid: 0 });
    const text = openDocument(cipher, "snapshots", name, bytes);
    expect(text).toBe(`{"time":"2026-11-22T20:00:00Z","tree":"${ID}","paths":["/a"]}`);
    expect(decodeSnapshot(text, name)).toEqual({ ...snapshot, id: name });
  });

  test("a lock comes back", () => {
    const lock: Lock = {
      time: "2026-11-22T20:00:00Z",
      exclusive: true,
      hostname: "host",
      username: "player",
      pid: 17,
      uid: 1000,
      gid: 100,
    };
    const { name, bytes } = encodeLock(cipher, version, lock);
    expect(decodeLock(openDocument(cipher, "locks", name, bytes), name)).toEqual(lock);
  });

  test("a config comes back", () => {
    const config = { version, id: ID, chunker_polynomial: POLYNOMIAL };
    const bytes = encodeConfig(cipher, config);
    expect(decodeConfig(cipher, bytes)).toEqual(config);
    expect(cipher.open(bytes, "config").toString()).toBe(`{"version":${version},"id":"${ID}","chunker_polynomial":"${POLYNOMIAL}"}`);
  });
});

describe("damage", () => {
  test("is found by a document's name before anything else is read", () => {
    const { name, bytes } = sealDocument(cipher, 2, {});
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    expect(() => openDocument(cipher, "snapshots", name, bytes)).toThrow(
      `The snapshot ${name} is damaged: its ${bytes.length} bytes have the SHA-256`,
    );
  });

  test.each([Buffer.alloc(0), Buffer.of(3, 1, 2), Buffer.of(2), Buffer.of(2, 1, 2, 3)])("is found in what was sealed (%#)", (plain) => {
    const bytes = cipher.seal(plain);
    expect(() => openDocument(cipher, "locks", hashOf(bytes), bytes)).toThrow(CorruptError);
  });

  test("is told with its kind, its code and what to do", () => {
    const error = new CorruptError("pack 1", "its header is gone");
    expect(error).toMatchObject({ code: "repository-damaged", what: "pack 1", name: "CorruptError" });
    expect(error.message).toBe(
      'The pack 1 is damaged: its header is gone. Run "reconsync repository verify --read-data" to see all that is hit; what is whole can be restored.',
    );
  });

  test.each([
    "",
    "null",
    "[]",
    "3",
    "{",
    `{"packs":{}}`,
    `{"packs":[3]}`,
    `{"packs":[{"id":"short","blobs":[]}]}`,
    `{"packs":[{"id":"${ID}","blobs":[{"id":"${ID}","type":"file","offset":0,"length":40}]}]}`,
    `{"packs":[{"id":"${ID}","blobs":[{"id":"${ID}","type":"data","offset":-1,"length":40}]}]}`,
    `{"packs":[{"id":"${ID}","blobs":[{"id":"${ID}","type":"data","offset":0,"length":31}]}]}`,
    `{"packs":[{"id":"${ID}","blobs":[{"id":"${ID}","type":"data","offset":0,"length":4294967296}]}]}`,
    `{"packs":[],"supersedes":["x"]}`,
  ])("is found in an index: %s", (text) => {
    expect(() => decodeIndex(text, ID)).toThrow(CorruptError);
  });

  test.each(["{}", `{"time":"yesterday","tree":"${ID}","paths":[]}`, `{"time":"2026-11-22T20:00:00Z","tree":null,"paths":["/"]}`])(
    "is found in a snapshot: %s",
    (text) => {
      expect(() => decodeSnapshot(text, ID)).toThrow(CorruptError);
    },
  );

  test.each(["{}", `{"time":"2026-11-22T20:00:00Z","exclusive":1,"hostname":"h","username":"u","pid":1}`])(
    "is found in a lock: %s",
    (text) => {
      expect(() => decodeLock(text, ID)).toThrow(CorruptError);
    },
  );

  test.each([`{"version":2}`, `{"version":2,"id":"${ID}","chunker_polynomial":"7"}`, `{"version":"2","id":"${ID}"}`])(
    "is found in a config: %s",
    (text) => {
      expect(() => decodeConfig(cipher, cipher.seal(Buffer.from(text)))).toThrow(CorruptError);
    },
  );
});

test("A config of a newer version says that this program is too old", () => {
  const bytes = cipher.seal(Buffer.from(`{"version":3,"id":"${ID}","chunker_polynomial":"${POLYNOMIAL}"}`));
  expect(() => decodeConfig(cipher, bytes)).toThrow(expect.objectContaining({ code: "repository-version" }));
});

test("An id has 64 lower-case hex digits", () => {
  expect([ID, ID.toUpperCase(), ID.slice(1), `${ID}0`, `${ID.slice(1)}\n`, ""].map(isId)).toEqual([
    true,
    false,
    false,
    false,
    false,
    false,
  ]);
});
