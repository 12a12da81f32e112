import { expect, test } from "vitest";
import { CorruptError } from "./corrupt.ts";
import { hashOf } from "./ids.ts";
import { decodeTree, encodeTree, type TreeNode } from "./tree.ts";

const ID = hashOf(Buffer.from("a"));

function node(change: Partial<TreeNode> & { name: Buffer }): TreeNode {
  return { type: "file", mode: 0o644, mtimeNs: 0n, atimeNs: 0n, ctimeNs: 0n, uid: 0, gid: 0, ...change };
}

const name = (text: string) => Buffer.from(text);
const encode = (...nodes: TreeNode[]) => encodeTree(nodes).toString();
const decode = (text: string) => decodeTree(Buffer.from(text), "tree 1");
const TIMES = `"mtime":"1970-01-01T00:00:00Z","atime":"1970-01-01T00:00:00Z","ctime":"1970-01-01T00:00:00Z"`;

test("An empty folder is an empty list and a line end", () => {
  expect(encode()).toBe('{"nodes":[]}\n');
  expect(decode('{"nodes":[]}\n')).toEqual([]);
});

test("Members stand in restic's order, and empty ones are left out", () => {
  const full = node({
    name: name("a"),
    mtimeNs: 1_500_000_000n,
    uid: 1,
    gid: 2,
    user: "<u>",
    group: "g",
    inode: 2n ** 64n - 1n,
    deviceId: 65024n,
    size: 3n,
    links: 2n,
    linkTarget: name("t"),
    extendedAttributes: [{ name: "user.x", value: Buffer.from("a<b") }],
    device: 7n,
    content: [ID],
    subtree: ID,
    unknown: { error: "e", generic_attributes: { a: 1 } },
  });
  expect(encode(full)).toBe(
    `{"nodes":[{"name":"a","type":"file","mode":420,"mtime":"1970-01-01T00:00:01.5Z","atime":"1970-01-01T00:00:00Z","ctime":"1970-01-01T00:00:00Z",` +
      `"uid":1,"gid":2,"user":"\\u003cu\\u003e","group":"g","inode":18446744073709551615,"device_id":65024,"size":3,"links":2,"linktarget":"t",` +
      `"extended_attributes":[{"name":"user.x","value":"YTxi"}],"generic_attributes":{"a":1},"device":7,"content":["${ID}"],"subtree":"${ID}","error":"e"}]}\n`,
  );
  expect(decode(encode(full))).toEqual([full]);
  expect(encode(node({ name: name("b"), mode: 0, size: 0n, content: [] }))).toBe(
    `{"nodes":[{"name":"b","type":"file",${TIMES},"uid":0,"gid":0,"content":[]}]}\n`,
  );
  expect(encode(node({ name: name("c"), type: "dir", mode: 0o755, subtree: ID }))).toBe(
    `{"nodes":[{"name":"c","type":"dir","mode":2147484141,${TIMES},"uid":0,"gid":0,"content":null,"subtree":"${ID}"}]}\n`,
  );
});

test.each([
  ["file", 0o644, 420],
  ["file", 0o4755, 8389101],
  ["file", 0o2755, 4194797],
  ["dir", 0o1777, 2148532735],
  ["symlink", 0o777, 134218239],
  ["chardev", 0o666, 69206454],
  ["dev", 0o660, 67109296],
  ["fifo", 0o644, 33554852],
  ["socket", 0o755, 16777709],
] as const)("The mode of a %s with %o is Go's, and comes back", (type, mode, expected) => {
  const text = encode(node({ name: name("a"), type, mode }));
  expect(text).toContain(`"mode":${expected},`);
  expect(decode(text)).toMatchObject([{ type, mode }]);
});

test("Entries are sorted by the bytes of their names", () => {
  const names = [Buffer.from([0xff]), name("b"), name("a!"), name("a"), name("é"), name("B")];
  const sorted = decode(encode(...names.map((name) => node({ name })))).map((it) => it.name);
  expect(sorted).toEqual([name("B"), name("a"), name("a!"), name("b"), name("é"), Buffer.from([0xff])]);
});

test("Two entries of one name are refused", () => {
  expect(() => encode(node({ name: name("a") }), node({ name: name("a") }))).toThrow(RangeError);
});

test("A link's target that is no UTF-8 is kept as newer versions of restic keep it", () => {
  const linkTarget = Buffer.from([0xff, 0x61]);
  const text = encode(node({ name: name("a"), type: "symlink", linkTarget }));
  expect(text).toContain('"linktarget":"\\ufffda","linktarget_raw":"/2E="');
  expect(decode(text)).toMatchObject([{ linkTarget }]);
});

test("Numbers beyond 2^53 keep each digit, also in members that are not known", () => {
  const text = `{"nodes":[{"name":"a","type":"file",${TIMES},"uid":0,"gid":0,"inode":9007199254740993,"content":null,"later":[18446744073709551615,1.5]}]}\n`;
  expect(decode(text)).toMatchObject([{ inode: 9007199254740993n, unknown: { later: [18446744073709551615n, 1.5] } }]);
  expect(encode(...decode(text))).toBe(text);
});

test("Times of another zone are the same instant", () => {
  const text = `{"nodes":[{"name":"a","type":"file","mtime":"1970-01-01T02:00:00.5+02:00","atime":"1970-01-01T02:00:00+02:00","ctime":"0001-01-01T00:00:00Z","uid":0,"gid":0}]}`;
  expect(decode(text)).toMatchObject([{ mtimeNs: 500_000_000n, atimeNs: 0n, ctimeNs: -62_135_596_800_000_000_000n }]);
});

test("A folder of 100,000 entries is written in pieces, and comes back", () => {
  const nodes = Array.from({ length: 100_000 }, (_, at) => node({ name: name(String(at).padStart(6, "0")), inode: BigInt(at + 1) }));
  expect(decodeTree(encodeTree(nodes), "tree")).toEqual(nodes);
});

test.each([
  "",
  "[]",
  `{"nodes":{}}`,
  `{"nodes":[null]}`,
  `{"nodes":[{"name":"a"}]}`,
  `{"nodes":[{"name":"a\\\\q","type":"file",${TIMES}}]}`,
  `{"nodes":[{"name":"a","type":"door",${TIMES}}]}`,
  `{"nodes":[{"name":"a","type":"toString",${TIMES}}]}`,
  `{"nodes":[{"name":"a","type":"file",${TIMES},"size":-1}]}`,
  `{"nodes":[{"name":"a","type":"file",${TIMES},"size":18446744073709551616}]}`,
  `{"nodes":[{"name":"a","type":"file",${TIMES},"size":1e300}]}`,
  `{"nodes":[{"name":"a","type":"file",${TIMES},"uid":4294967296}]}`,
  `{"nodes":[{"name":"a","type":"file",${TIMES},"content":["x"]}]}`,
  `{"nodes":[{"name":"a","type":"dir",${TIMES},"subtree":"../../etc"}]}`,
  `{"nodes":[{"name":"a","type":"symlink",${TIMES},"linktarget":1}]}`,
])("A tree that is none is refused: %s", (text) => {
  expect(() => decode(text)).toThrow(CorruptError);
});
