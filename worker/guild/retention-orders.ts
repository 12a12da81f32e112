import { createHash } from "node:crypto";
import type { Instant, RetentionOrders, ServerOrders } from "../../schemas/index.ts";
import { MARKS_MAX, SAFETY_KEPT_DAYS } from "../../schemas/index.ts";
import type { BackupRecord } from "./backups.ts";
import type { ServerRecord } from "./servers.ts";
import type { Tables } from "./tables.ts";

const DAY_MS = 24 * 60 * 60_000;
/** Characters of the hash: enough to tell one set of orders from another. */
const HASH_LENGTH = 16;

/** What a host has to know of retention where it removes backups itself. Reads rows and writes none: it is asked with every poll. */
export function ordersFor(tables: Pick<Tables, "servers" | "retention" | "backups">, host: string, now: Instant): RetentionOrders {
  const local = tables.servers.of(host).filter(({ store }) => store !== "r2");
  const servers = local.map((server) => ordersOf(tables, server, now)).filter((orders) => orders !== null);
  if (servers.length === 0) return { hash: "", servers };
  const hash = createHash("sha256").update(JSON.stringify(servers)).digest("hex").slice(0, HASH_LENGTH);
  return { hash, servers };
}

function ordersOf({ retention, backups }: Pick<Tables, "retention" | "backups">, { id }: ServerRecord, now: Instant): ServerOrders | null {
  const policy = retention.policyFor(id)?.set.policy;
  const brake = retention.brake(id);
  const marked = new Map([...backups.marked(id), ...backups.safety(id, now - SAFETY_KEPT_DAYS * DAY_MS)].map((one) => [one.id, one]));
  const marks = [...marked.values()].filter(({ store }) => store !== "r2").map(markOf);
  if (policy === undefined && brake === null && marks.length === 0) return null;
  const resumedAt = brake?.acceptedAt ?? null;
  return {
    server: id,
    ...(policy === undefined ? {} : { policy }),
    frozen: (brake?.frozen ?? null) !== null,
    ...(resumedAt === null ? {} : { resumedAt }),
    // Pins first: a tag is a wish, a pin a promise.
    marks: marks.sort((a, b) => Number(b.pinned ?? false) - Number(a.pinned ?? false)).slice(0, MARKS_MAX),
  };
}

function markOf(backup: BackupRecord): ServerOrders["marks"][number] {
  return {
    name: backup.format === "zip" ? backup.archive : backup.snapshot,
    ...(backup.pin === null ? {} : { pinned: true }),
    ...(backup.purpose === "safety" ? { safety: true } : {}),
    ...(backup.tags.length === 0 ? {} : { tags: backup.tags }),
  };
}
