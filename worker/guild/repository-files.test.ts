import { env, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { guildOf } from "../env.ts";
import { snowflake } from "../testing/interactions.ts";
import { RepositoryFiles } from "./repository-files.ts";

const AT = 1_800_000_000_000;

/** The table in a fresh guild, and how many rows its statements have written. */
function inFiles<T>(act: (files: RepositoryFiles, written: () => number) => T): Promise<T> {
  return runInDurableObject(guildOf(env, snowflake()), (_, { storage: { sql } }) => {
    const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = [];
    const counted = {
      exec: (query: string, ...bindings: unknown[]) => {
        const cursor = sql.exec(query, ...bindings);
        cursors.push(cursor);
        return cursor;
      },
    } as unknown as SqlStorage;
    return act(new RepositoryFiles(counted), () => cursors.reduce((sum, { rowsWritten }) => sum + rowsWritten, 0));
  });
}

const pack = (name: string, bytes: number, server = "island") => ({ server, type: "data" as const, name, bytes, at: AT, putBy: "host x" });

it("writes one row a file, two once a sum is kept, and none for a file that is there", async () => {
  await inFiles((files, written) => {
    const costs = (act: () => void) => {
      const before = written();
      act();
      return written() - before;
    };
    expect(costs(() => files.add(pack("a", 10)))).toBe(1);
    expect(costs(() => files.add(pack("b", 20)))).toBe(1);
    expect(costs(() => files.add(pack("b", 20)))).toBe(0);
    expect(costs(() => expect(files.sum()).toBe(30))).toBe(1);
    expect(costs(() => files.add(pack("c", 5)))).toBe(2);
    expect(costs(() => files.add(pack("c", 5)))).toBe(0);
    expect(costs(() => expect(files.sum()).toBe(35))).toBe(0);
  });
});

it("leaves the first row of a file as it is", async () => {
  await inFiles((files) => {
    expect(files.add(pack("a", 10))).toBe(true);
    expect(files.add({ ...pack("a", 99), at: 1, putBy: "host y" })).toBe(false);
    expect(files.byName("island", "data", "a")).toEqual(pack("a", 10));
    expect(files.byName("island", "snapshots", "a")).toBeNull();
  });
});

it("says what there is of one server and of all", async () => {
  await inFiles((files) => {
    expect(files.usage(null)).toEqual({ snapshots: 0, packs: 0, bytes: 0 });
    files.add(pack("a", 10));
    files.add({ ...pack("s", 1), type: "snapshots" });
    files.add(pack("a", 7, "hills"));
    expect(files.usage("island")).toEqual({ snapshots: 1, packs: 1, bytes: 11 });
    expect(files.usage(null)).toEqual({ snapshots: 1, packs: 2, bytes: 18 });
    expect([files.has("hills"), files.has("nowhere"), files.count("island", "data"), files.count("island", "keys")]).toEqual([
      true,
      false,
      1,
      0,
    ]);
    expect(files.sum()).toBe(18);
  });
});
