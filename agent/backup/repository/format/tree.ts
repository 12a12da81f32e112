import { isUtf8 } from "node:buffer";
import { CorruptError } from "./corrupt.ts";
import { goBytes, goJson, goString } from "./go-json.ts";
import { quote, unquote } from "./go-quote.ts";
import { formatTime, parseTime } from "./go-time.ts";
import type { Id } from "./ids.ts";
import { Shape } from "./shape.ts";
import { TextPieces } from "./text-pieces.ts";

export type NodeType = "file" | "dir" | "symlink" | "dev" | "chardev" | "fifo" | "socket";

/** One entry of a folder. Times in nanoseconds since 1970. */
export interface TreeNode {
  /** Raw bytes: names need not be UTF-8. */
  name: Buffer;
  type: NodeType;
  /** POSIX permission bits with setuid, setgid and sticky. */
  mode: number;
  mtimeNs: bigint;
  atimeNs: bigint;
  ctimeNs: bigint;
  uid: number;
  gid: number;
  user?: string;
  group?: string;
  inode?: bigint;
  /** Of the file system that it lies on. */
  deviceId?: bigint;
  /** What a device file stands for. */
  device?: bigint;
  size?: bigint;
  links?: bigint;
  linkTarget?: Buffer;
  /** Of files, in order. */
  content?: Id[];
  /** Of folders. */
  subtree?: Id;
  extendedAttributes?: { name: string; value: Buffer }[];
  /** Members of the JSON that are not known here, kept for rewriting. Whole numbers beyond 2^53 are bigints. */
  unknown?: Record<string, unknown>;
}

/** Bits of Go's FileMode that tell the type. */
const TYPE_BITS: Record<NodeType, number> = {
  file: 0,
  dir: 2 ** 31,
  symlink: 2 ** 27,
  dev: 2 ** 26,
  chardev: 2 ** 26 + 2 ** 21,
  fifo: 2 ** 25,
  socket: 2 ** 24,
};
const PERMISSION_BITS = 0o777;
/** The same three bits as POSIX and as Go's FileMode has them: setuid, setgid, sticky. */
const SPECIAL_BITS = [
  { posix: 0o4000, go: 2 ** 23 },
  { posix: 0o2000, go: 2 ** 22 },
  { posix: 0o1000, go: 2 ** 20 },
] as const;
const NOTHING_UNKNOWN: NonNullable<TreeNode["unknown"]> = {};
const UINT32_MAX = 2 ** 32 - 1;
const UINT64_MAX = 2n ** 64n - 1n;

/** Written by newer versions of restic behind `extended_attributes`; other members that are not known go last. */
const GENERIC_ATTRIBUTES = "generic_attributes";
const KNOWN = new Set(
  "name type mode mtime atime ctime uid gid user group inode device_id size links linktarget linktarget_raw extended_attributes device content subtree".split(
    " ",
  ),
);

/** The tree blob of a folder, byte for byte as restic writes it for the same nodes, in UTC. Sorts them by the bytes of their names. */
export function encodeTree(nodes: readonly TreeNode[]): Buffer {
  const sorted = nodes.toSorted((a, b) => Buffer.compare(a.name, b.name));
  const json = new TextPieces();
  json.add('{"nodes":[');
  for (const [at, node] of sorted.entries()) {
    const before = sorted[at - 1];
    if (before?.name.equals(node.name)) throw new RangeError(`Two entries of one folder are called ${quote(node.name)}`);
    json.add(`${before === undefined ? "" : ","}${nodeJson(node)}`);
  }
  json.add("]}\n");
  return json.finish();
}

function nodeJson(node: TreeNode): string {
  const { [GENERIC_ATTRIBUTES]: generic, ...others } = node.unknown ?? NOTHING_UNKNOWN;
  let json = `{"name":${goString(quote(node.name))},"type":"${node.type}"`;
  const mode = goMode(node);
  if (mode !== 0) json += `,"mode":${mode}`;
  const mtime = formatTime(node.mtimeNs);
  // A file's three times are mostly the same one.
  const timeOf = (ns: bigint) => (ns === node.mtimeNs ? mtime : formatTime(ns));
  json += `,"mtime":"${mtime}","atime":"${timeOf(node.atimeNs)}","ctime":"${timeOf(node.ctimeNs)}"`;
  json += `,"uid":${node.uid},"gid":${node.gid}`;
  if (node.user) json += `,"user":${goString(node.user)}`;
  if (node.group) json += `,"group":${goString(node.group)}`;
  if (node.inode) json += `,"inode":${node.inode}`;
  if (node.deviceId) json += `,"device_id":${node.deviceId}`;
  if (node.size) json += `,"size":${node.size}`;
  if (node.links) json += `,"links":${node.links}`;
  if (node.linkTarget !== undefined && node.linkTarget.length > 0) {
    json += `,"linktarget":${goBytes(node.linkTarget)}`;
    // As restic has it since 0.17: before, such targets were lost. Older ones pass over it.
    if (!isUtf8(node.linkTarget)) json += `,"linktarget_raw":"${node.linkTarget.toString("base64")}"`;
  }
  if (node.extendedAttributes !== undefined && node.extendedAttributes.length > 0) {
    const each = node.extendedAttributes.map(({ name, value }) => `{"name":${goString(name)},"value":"${value.toString("base64")}"}`);
    json += `,"extended_attributes":[${each.join(",")}]`;
  }
  if (generic !== undefined) json += `,"${GENERIC_ATTRIBUTES}":${goJson(generic)}`;
  if (node.device) json += `,"device":${node.device}`;
  json += `,"content":${node.content === undefined ? "null" : idList(node.content)}`;
  if (node.subtree !== undefined) json += `,"subtree":"${node.subtree}"`;
  for (const [name, value] of Object.entries(others)) json += `,${goString(name)}:${goJson(value)}`;
  return `${json}}`;
}

/** Ids have no character that JSON escapes. */
function idList(ids: readonly Id[]): string {
  return ids.length === 0 ? "[]" : `["${ids.join('","')}"]`;
}

function goMode({ type, mode }: TreeNode): number {
  const special = SPECIAL_BITS.reduce((sum, { posix, go }) => ((mode & posix) === 0 ? sum : sum + go), 0);
  return TYPE_BITS[type] + special + (mode & PERMISSION_BITS);
}

function posixMode(mode: number): number {
  return SPECIAL_BITS.reduce((sum, { posix, go }) => (Math.floor(mode / go) % 2 === 0 ? sum : sum + posix), mode & PERMISSION_BITS);
}

/** A whole number that may be beyond what a JavaScript number holds. */
const LARGE_NUMBER = /[:,[]\s*\d{16}/;

/** The entries of a folder, from its tree blob. `what` names it for an error. @throws CorruptError */
export function decodeTree(bytes: Buffer, what: string): TreeNode[] {
  const nodes = new Shape(parseTree(bytes, what), what).list("nodes");
  return nodes.map((value) => decodeNode(new Shape(value, what)));
}

function parseTree(bytes: Buffer, what: string): unknown {
  try {
    const text = bytes.toString();
    return LARGE_NUMBER.test(text) ? JSON.parse(text, keepLargeNumbers as typeof keepAll) : JSON.parse(text);
  } catch (error) {
    throw new CorruptError(what, "it is no JSON", error);
  }
}

declare function keepAll(key: string, value: unknown): unknown;

/** Node gives the source of each number, which TypeScript does not know of yet. */
function keepLargeNumbers(_key: string, value: unknown, { source }: { source?: string }): unknown {
  return typeof value === "number" && !Number.isSafeInteger(value) && source !== undefined && /^\d+$/.test(source) ? BigInt(source) : value;
}

function decodeNode(shape: Shape): TreeNode {
  const user = textOf(shape, "user");
  const group = textOf(shape, "group");
  const node: TreeNode = {
    name: unquote(shape.string("name")) ?? shape.fail("name", "a quoted name"),
    type: nodeType(shape),
    mode: shape.has("mode") ? posixMode(shape.count("mode", UINT32_MAX)) : 0,
    mtimeNs: timeOf(shape, "mtime"),
    atimeNs: timeOf(shape, "atime"),
    ctimeNs: timeOf(shape, "ctime"),
    uid: shape.has("uid") ? shape.count("uid", UINT32_MAX) : 0,
    gid: shape.has("gid") ? shape.count("gid", UINT32_MAX) : 0,
  };
  if (user !== "") node.user = user;
  if (group !== "") node.group = group;
  for (const [key, name] of NUMBERS) if (shape.has(name)) node[key] = numberOf(shape, name);
  if (shape.has("linktarget_raw")) node.linkTarget = shape.bytes("linktarget_raw");
  else if (shape.has("linktarget")) node.linkTarget = Buffer.from(shape.string("linktarget"));
  if (shape.has("extended_attributes")) node.extendedAttributes = attributesOf(shape);
  if (shape.has("content")) node.content = shape.ids("content");
  if (shape.has("subtree")) node.subtree = shape.id("subtree");
  for (const name in shape.value) {
    if (KNOWN.has(name)) continue;
    node.unknown ??= {};
    node.unknown[name] = shape.value[name];
  }
  return node;
}

const NUMBERS = [
  ["inode", "inode"],
  ["deviceId", "device_id"],
  ["device", "device"],
  ["size", "size"],
  ["links", "links"],
] as const;

function nodeType(shape: Shape): NodeType {
  const type = shape.string("type");
  return Object.hasOwn(TYPE_BITS, type) ? (type as NodeType) : shape.fail("type", "a known one");
}

function timeOf(shape: Shape, name: string): bigint {
  return parseTime(shape.string(name)) ?? shape.fail(name, "a time");
}

const textOf = (shape: Shape, name: string) => (shape.has(name) ? shape.string(name) : "");

function numberOf(shape: Shape, name: string): bigint {
  const value = shape.value[name];
  if (typeof value === "bigint" && value <= UINT64_MAX) return value;
  return BigInt(shape.count(name));
}

function attributesOf(shape: Shape): { name: string; value: Buffer }[] {
  return shape.list("extended_attributes").map((value) => {
    const attribute = new Shape(value, shape.what);
    return { name: attribute.string("name"), value: attribute.has("value") ? attribute.bytes("value") : Buffer.alloc(0) };
  });
}
