import * as z from "zod";
import { consistency, tornFile } from "./jobs.ts";

/**
 * A manifest lies beside each archive as `NAME.manifest.jsonl.gz`: gzipped JSON lines. The first line is the header, then one line
 * an entry in archive order, then the footer. A manifest without its footer is incomplete and proves nothing.
 * Paths are relative to the server's folder, with `/`.
 */
export const MANIFEST_SUFFIX = ".manifest.jsonl.gz";

export const manifestHeader = z.object({
  type: z.literal("header"),
  format: z.literal("reconsync-manifest"),
  version: z.literal(1),
  tool: z.string(),
  server: z.string(),
  game: z.string(),
  archive: z.string(),
  createdAt: z.iso.datetime(),
  note: z.string().optional(),
  /** `safety`: a restore made it of what was there before. */
  purpose: z.enum(["safety"]).optional(),
});
export type ManifestHeader = z.infer<typeof manifestHeader>;

/** `mtime` in milliseconds since the epoch, `mode` as permission bits. */
export const manifestEntry = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("file"),
    path: z.string(),
    bytes: z.int().nonnegative(),
    mtime: z.number(),
    mode: z.int(),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    /** Present when the file changed while it was read, on the second try too. */
    torn: z.optional(tornFile.shape.reason),
  }),
  z.object({ type: z.literal("directory"), path: z.string(), mtime: z.number(), mode: z.int() }),
  z.object({ type: z.literal("symlink"), path: z.string(), target: z.string(), mtime: z.number(), mode: z.int() }),
  /** Seen by the walk, but not in the archive. */
  z.object({
    type: z.literal("missing"),
    path: z.string(),
    reason: z.enum(["vanished", "unreadable", "special"]),
    detail: z.string().optional(),
  }),
]);
export type ManifestEntry = z.infer<typeof manifestEntry>;

export const manifestFooter = z.object({
  type: z.literal("footer"),
  consistency,
  /** In words, what the consistency rests on. */
  evidence: z.array(z.string()).optional(),
  files: z.int().nonnegative(),
  directories: z.int().nonnegative(),
  symlinks: z.int().nonnegative(),
  missing: z.int().nonnegative(),
  torn: z.int().nonnegative(),
  sourceBytes: z.int().nonnegative(),
  archiveBytes: z.int().nonnegative(),
  /** Of the archive, in hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  durationMs: z.int().nonnegative(),
});
export type ManifestFooter = z.infer<typeof manifestFooter>;

export const manifestLine = z.union([manifestHeader, manifestEntry, manifestFooter]);
export type ManifestLine = z.infer<typeof manifestLine>;
