import { AgentError } from "../../../errors.ts";
import type { Id } from "../format/ids.ts";
import type { Repository } from "../repository.ts";
import type { FileIndex } from "./file-index.ts";
import type { ParentSnapshot } from "./history.ts";

/** What a backup may take unchanged files over from. */
export interface Ancestry {
  parent: ParentSnapshot | null;
  /** The file index tells of that parent, or of a later look. */
  useIndex: boolean;
}

/** Name of the fact that holds the last snapshot of these paths by this host. */
function factName(hostname: string, paths: readonly string[]): string {
  return `snapshot ${JSON.stringify([hostname, ...paths])}`;
}

export function rememberSnapshot(fileIndex: FileIndex | null, hostname: string, paths: readonly string[], snapshot: ParentSnapshot): void {
  fileIndex?.setFact(factName(hostname, paths), `${snapshot.id} ${snapshot.tree}`);
}

/**
 * The snapshot that a backup follows: the asked one, the last one of this host and these paths, or none.
 * @throws AgentError what `readSnapshot` throws for one that was asked for
 */
export async function chooseParent(
  repository: Repository,
  fileIndex: FileIndex | null,
  asked: Id | "none" | undefined,
  { hostname, paths, signal }: { hostname: string; paths: readonly string[]; signal: AbortSignal },
): Promise<Ancestry> {
  if (asked === "none") return { parent: null, useIndex: false };
  const [id, tree] = fileIndex?.fact(factName(hostname, paths))?.split(" ") ?? [];
  const remembered = id === undefined || tree === undefined ? null : { id, tree };
  if (asked !== undefined) {
    if (remembered?.id === asked) return { parent: remembered, useIndex: true };
    const snapshot = await repository.readSnapshot(asked, signal);
    return { parent: { id: snapshot.id, tree: snapshot.tree }, useIndex: false };
  }
  // One file to look for instead of a list of them all.
  if (remembered !== null && (await repository.store.stat("snapshots", remembered.id, signal)) !== null) {
    return { parent: remembered, useIndex: true };
  }
  try {
    const snapshot = await repository.findSnapshot("latest", { hostname, paths }, signal);
    return { parent: { id: snapshot.id, tree: snapshot.tree }, useIndex: true };
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== "snapshot-missing") throw error;
    return { parent: null, useIndex: true };
  }
}
