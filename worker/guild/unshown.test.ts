import { env, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { guildOf } from "../env.ts";
import { snowflake } from "../testing/interactions.ts";
import type { Guild } from "./guild.ts";
import type { JobRecord } from "./jobs.ts";
import type { Tables } from "./tables.ts";
import { tablesOf } from "./tables.ts";

const NOW = 1_800_000_000_000;
const DAY = 86_400_000;
/** More than are kept of what has nothing to show any more. */
const CROWD = 1010;
const ORIGIN = { token: "t", channel: "1" };

function inTables(act: (tables: Tables) => void): Promise<void> {
  return runInDurableObject<Guild, void>(guildOf(env, snowflake()), (_, state) => act(tablesOf(state.storage.sql)));
}

function addJob({ jobs, messages }: Tables, key: string, at = NOW): JobRecord & { message: number } {
  const base = { key, kind: "backup" as const, host: "h", server: "s", payload: { server: "s" }, requestedBy: "1", trace: null };
  const job = jobs.add({ ...base, message: null }, at);
  const message = messages.add({ kind: "backup", job: job.id }, ORIGIN, at);
  jobs.setMessage(job.id, message);
  return { ...job, message };
}

it("keeps the message of an open job, however many come after it", async () => {
  await inTables((tables) => {
    const open = addJob(tables, "open");
    const ended = addJob(tables, "ended");
    tables.jobs.cancel(ended.id, "1", NOW);
    tables.messages.apply(ended.message, { attempts: 0, nextAt: null });
    for (let index = 0; index < CROWD; index += 1) tables.messages.add({ kind: "status", servers: [], jobs: [] }, ORIGIN, NOW + 31 * DAY);
    expect(tables.messages.byId(open.message)).not.toBeNull();
    expect(tables.messages.byId(ended.message)).toBeNull();
  });
});

it("keeps an ended job until its end was shown, and then forgets it", async () => {
  await inTables((tables) => {
    const [unshown, shown] = [addJob(tables, "unshown"), addJob(tables, "shown")];
    for (const { id } of [unshown, shown]) tables.jobs.cancel(id, "1", NOW);
    tables.messages.apply(shown.message, { attempts: 0, nextAt: null });
    const others = (prefix: string) => {
      for (let index = 0; index < CROWD; index += 1) {
        const { id, message } = addJob(tables, `${prefix}-${index}`, NOW + index);
        tables.jobs.cancel(id, "1", NOW + index);
        tables.messages.apply(message, { attempts: 0, nextAt: null });
      }
    };
    others("first");
    expect(tables.jobs.byId(shown.id)).toBeNull();
    expect(tables.jobs.byId(unshown.id)?.state).toBe("cancelled");
    tables.messages.apply(unshown.message, { attempts: 0, nextAt: null });
    addJob(tables, "last", NOW + CROWD);
    expect(tables.jobs.byId(unshown.id)).toBeNull();
  });
});
