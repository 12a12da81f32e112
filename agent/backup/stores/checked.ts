import type { Clock } from "../../clock.ts";
import { type BackupTrust, unverified } from "../trust.ts";
import { checkArchiveStructure } from "../verify-structure.ts";
import type { ArchiveStore, ArchiveWriter, NewArchive } from "./store.ts";

/**
 * A store that looks at each archive once it has its final name: what its directory holds is what its manifest lists. The store itself has compared
 * the size, and R2 the hash of each part. One that does not pass stays where it is, does not count, and nothing is removed for it.
 */
export function checkedStore(store: ArchiveStore, deps: { clock: Clock; trust: BackupTrust }): ArchiveStore {
  return {
    type: store.type,
    folder: store.folder,
    cleanUp: (id) => store.cleanUp(id),
    prune: (id, keep, now) => store.prune(id, keep, now),
    begin: async (archive) => {
      const writer = await store.begin(archive);
      return store.type === "local" ? checkedWriter(writer, archive, deps) : writer;
    },
  };
}

function checkedWriter(writer: ArchiveWriter, archive: NewArchive, { clock, trust }: { clock: Clock; trust: BackupTrust }): ArchiveWriter {
  return {
    body: writer.body,
    abort: () => writer.abort(),
    commit: async (facts, manifest) => {
      const stored = await writer.commit(facts, manifest);
      const problems = await checkArchiveStructure(stored.place, { bytes: facts.bytes, signal: archive.signal });
      const [first] = problems;
      if (first === undefined) return stored;
      trust.doubt(archive.server, archive.name, first, clock.now());
      throw unverified(first, problems.length);
    },
  };
}
