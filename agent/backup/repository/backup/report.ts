import type { Cipher } from "../format/cipher.ts";
import type { CompressionLevel } from "../format/compression.ts";
import { hashOf } from "../format/ids.ts";
import { type FinishedPack, PackBuilder } from "../format/pack.ts";
import type { TreeNode } from "../format/tree.ts";
import type { BlobIndex } from "../index/blob-index.ts";
import { rawIds } from "./contents.ts";
import type { BackupSummary } from "./options.ts";
import type { Problems } from "./problems.ts";

/** Name of the report in a snapshot, beside the sources' top folders. */
export const REPORT_NAME = "reconsync-report.json";
const REPORT_FORMAT = 1;
const REPORT_MODE = 0o600;
const NS_IN_MS = 1_000_000n;
/** Enough for a report with as many problems as are kept; it grows when it must. In bytes. */
const PACK_BYTES = 512 * 1024;

/** A report as it stands in a snapshot: which files may be torn, are missing, or were copied in a special way, with the evidence. */
export interface Report {
  node: TreeNode;
  /** The pack that holds it; null when the repository has the same report already. */
  pack: FinishedPack | null;
  bytes: number;
}

/** Null when there is nothing to report. */
export function reportOf(
  problems: Problems,
  { consistency, at }: { consistency: BackupSummary["consistency"]; at: number },
  { cipher, index }: { cipher: Cipher; index: BlobIndex },
  level: CompressionLevel,
): Report | null {
  const { list, databases, count } = problems;
  if (count === 0 && databases.length === 0) return null;
  const facts = { format: REPORT_FORMAT, consistency, problems: list, problemsInAll: count, databases };
  const content = Buffer.from(`${JSON.stringify(facts, undefined, 2)}\n`);
  const id = hashOf(content);
  const timeNs = BigInt(at) * NS_IN_MS;
  const node: TreeNode = {
    name: Buffer.from(REPORT_NAME),
    type: "file",
    mode: REPORT_MODE,
    mtimeNs: timeNs,
    atimeNs: timeNs,
    ctimeNs: timeNs,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    links: 1n,
    size: BigInt(content.length),
    content: [id],
  };
  if (!index.claim(rawIds([id]), 0, "data")) return { node, pack: null, bytes: content.length };
  const builder = new PackBuilder(cipher, "data", PACK_BYTES);
  builder.add(id, content, level);
  return { node, pack: builder.finish(), bytes: content.length };
}
