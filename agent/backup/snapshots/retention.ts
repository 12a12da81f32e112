import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SHORT_ID_DIGITS } from "../../../schemas/index.ts";
import type { RetainedBackup } from "../../../schemas/retention-policy.ts";
import { AgentError } from "../../errors.ts";
import type { BackupRequest } from "../engine.ts";
import { errorCode } from "../error-code.ts";
import { forget } from "../repository/prune/forget.ts";
import { prune } from "../repository/prune/run.ts";
import type { Repository } from "../repository/repository.ts";
import type { RetentionJudge } from "../retention-judge.ts";
import { type BackupTrust, NO_TRUST } from "../trust.ts";

/** What only forgotten snapshots held is removed so often at most: it reads every tree, and holds up whoever else works there. In milliseconds. */
export const PRUNE_EVERY_MS = 24 * 60 * 60_000;
/** Bytes that nobody needs may stay, as a share of the repository: repacking costs more than they do. */
const UNUSED_SHARE_MAX = 0.1;
/** So many snapshots go in one run at most: a mistake in the config does less harm. */
const FORGOTTEN_AT_ONCE_MAX = 100;

export interface Retained {
  /** Short ids of the snapshots that went. */
  pruned: string[];
  /** In words. The backup itself is safe whatever happens here. */
  warnings: string[];
}

export interface RetainOptions {
  /** Which snapshots may go. */
  judge: RetentionJudge;
  cacheFolder: string;
  trust?: BackupTrust | undefined;
  /** A verification of this host reads the repository right now, under a lock that would be in the way. */
  isVerifying?: () => boolean;
}

/**
 * Forgets the snapshots of a server that its retention does not keep, and now and then removes what only they held. In R2 the guild decides, so
 * that a host that was taken over removes nothing. Other people's snapshots in the same repository are left alone.
 */
export async function retain(
  repository: Repository,
  request: BackupRequest,
  { cacheFolder, judge, trust = NO_TRUST, isVerifying = () => false }: RetainOptions,
): Promise<Retained> {
  const { server, clock, signal, log, purpose } = request;
  // What a restore saves first must push out nothing that it may be about to restore.
  if (server.backup.store.type === "r2" || purpose === "safety") return { pruned: [], warnings: [] };
  if (isVerifying()) {
    log.info({ server: server.id }, "old snapshots stay for now: backups are being verified, and the next backup removes them");
    return { pruned: [], warnings: [] };
  }
  const pruned: string[] = [];
  try {
    const doubts = trust.doubts(server.id);
    const proven = trust.proven(server.id);
    const known = (await snapshotsOf(repository, server.id, signal)).map((one) => ({ ...one, good: one.good && !doubts.has(one.id) }));
    const gone = judge(server.id, known, server.backup.retention, clock.now()).filter((id) => id !== proven);
    const ids = await forget(repository, gone.slice(0, FORGOTTEN_AT_ONCE_MAX), { signal });
    pruned.push(...ids.map((id) => id.slice(0, SHORT_ID_DIGITS)));
    if (ids.length > 0) log.info({ server: server.id, snapshots: pruned }, "forgot snapshots that retention does not keep");
    const mark = join(cacheFolder, `${repository.config.id}.pruned`);
    // A repository whose first snapshot goes now has nothing to remove before a day is over.
    if (clock.now() - (await timeIn(mark, clock.now())) >= PRUNE_EVERY_MS) {
      const { bytesFreed, ms } = await prune(repository, { maxUnusedShare: UNUSED_SHARE_MAX, signal });
      log.info({ server: server.id, bytesFreed, ms }, "removed what no snapshot needs");
      await writeFile(mark, String(clock.now()), { mode: 0o600 });
    }
    return { pruned, warnings: [] };
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ server: server.id, err: error }, "old snapshots could not be removed");
    const why = error instanceof AgentError ? error.message : String(error);
    return { pruned, warnings: [`The backup is safe, but old ones could not be removed: ${why}`] };
  }
}

async function snapshotsOf(repository: Repository, server: string, signal: AbortSignal): Promise<RetainedBackup[]> {
  const kept: RetainedBackup[] = [];
  for await (const { id, time, tags = [] } of repository.snapshots(signal)) {
    if (!tags.includes(`reconsync:server=${server}`)) continue;
    kept.push({
      id,
      at: Date.parse(time),
      good: true,
      torn: tags.includes("reconsync:consistency=torn"),
      purpose: tags.includes("reconsync:purpose=safety") ? "safety" : undefined,
    });
  }
  return kept;
}

/** The time that a file holds, in milliseconds since the epoch. One that is not there, or holds none, is written with this one. */
async function timeIn(file: string, now: number): Promise<number> {
  try {
    const time = Number(await readFile(file, "utf8"));
    // A clock that was set back does not put it off for ever.
    if (Number.isFinite(time) && time > 0 && time <= now) return time;
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
  await writeFile(file, String(now), { mode: 0o600 });
  return now;
}
