import { expect, it } from "vitest";
import type { BackupResult } from "../../schemas/index.ts";
import { answerOf, commandBody, run, send, snowflake, textOf } from "../testing/interactions.ts";
import { backupResultOf, serverNamed, snapshotResultOf, TestAgent } from "../testing/test-agent.ts";

const HOUR = 60 * 60_000;
const NOON = Date.UTC(2026, 10, 20, 12);

async function scene() {
  const guild = snowflake();
  const agent = await TestAgent.enrolled({ guild }, "Base", [serverNamed("island", { store: "local" })]);
  await agent.poll();
  let count = 0;
  const made = async (result: BackupResult) => {
    count += 1;
    const answer = await agent.call("POST", "/v1/reports", { key: `island/by-hand/${count}`, kind: "backup", result });
    expect(answer.status).toBe(200);
  };
  const snapshot = (startedAt: number, more: { bytes: number; newBytes?: number; sourceBytes?: number }) => {
    const id = String(count + 1).padStart(64, "0");
    return made(snapshotResultOf("island", { snapshot: id, store: "local", startedAt, newBytes: more.bytes, ...more }));
  };
  const shown = async () => textOf(await run({ guild }, "backup stats", { server: "island" }));
  return { guild, agent, made, snapshot, shown };
}

const chartOf = (text: string) => (/```(?:\\n|\n)(.*?)(?:\\n|\n)```/s.exec(text)?.[1] ?? "").split(/\\n|\n/);

it("shows each backup with what it added and what was there already, the newest first", async () => {
  const { guild, snapshot, shown } = await scene();
  await snapshot(NOON, { bytes: 800_000_000, sourceBytes: 1_000_000_000, newBytes: 1_000_001_000 });
  await snapshot(NOON + HOUR, { bytes: 100_000_000, sourceBytes: 1_000_000_000, newBytes: 250_000_000 });
  await snapshot(NOON + 2 * HOUR, { bytes: 10, sourceBytes: 1_000_000_000, newBytes: 0 });
  const text = await shown();
  expect(text).toContain("Backups of The island over time");
  expect(text).toContain("3 backups of 3.0 GB in all. They take 900 MB in the store, 1 : 3.3.");
  expect(chartOf(text)).toEqual([
    "Nov 20, 14:00 █          +10 B 1.0 GB 100 %",
    "Nov 20, 13:00 █        +100 MB 1.0 GB  75 %",
    "Nov 20, 12:00 ████████ +800 MB 1.0 GB   0 %",
  ]);
  expect(text).toContain("Each line is a backup");
  const { data } = await answerOf(await send(commandBody({ guild }, "backup stats", { server: "island" })));
  expect(data.flags, "only the member sees it").toBe(64);
});

it("adds backups of several days up by day, in the zone of the guild, and says what a day adds", async () => {
  const { guild, snapshot, shown } = await scene();
  await snapshot(NOON, { bytes: 800_000_000 });
  // 23:30 in UTC is the next day in Berlin.
  await snapshot(NOON + 11.5 * HOUR, { bytes: 40_000_000 });
  await snapshot(NOON + 24 * HOUR, { bytes: 60_000_000 });
  await snapshot(NOON + 48 * HOUR, { bytes: 20_000_000 });
  await run({ guild, permissions: "8" }, "config set", { timezone: "Europe/Berlin" });
  const text = await shown();
  expect(chartOf(text).map((line) => [line.slice(0, 6), line.slice(-2)])).toEqual([
    ["Nov 22", "×1"],
    ["Nov 21", "×2"],
    ["Nov 20", "×1"],
  ]);
  expect(text).toContain("A day adds 60.0 MB.");
  expect(text).toContain("Each line is a day");
  expect(text).toContain("Times of Europe/Berlin.");
});

it("counts all that an archive holds as new", async () => {
  const { made, shown } = await scene();
  await made(backupResultOf("island", { startedAt: NOON }));
  await made(backupResultOf("island", { startedAt: NOON + HOUR, archive: "island-20261120T130000Z.zip" }));
  expect(chartOf(await shown()).map((line) => line.slice(-3))).toEqual(["0 %", "0 %"]);
});

it("shows 14 lines at most", async () => {
  const { snapshot, shown } = await scene();
  for (let n = 0; n < 16; n += 1) await snapshot(NOON + n * HOUR, { bytes: 1000 + n });
  const chart = chartOf(await shown());
  expect(chart).toHaveLength(14);
  expect(chart[0]).toContain("Nov 21, 03:00");
});

it("says so when there are none, and refuses a server that is not there", async () => {
  const { guild, shown } = await scene();
  expect(await shown()).toContain("There are none yet. Make one with `/backup now server:island`.");
  expect(textOf(await run({ guild }, "backup stats", { server: "nowhere" }))).toContain("server-unknown");
});
