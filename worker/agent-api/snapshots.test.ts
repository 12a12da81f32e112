import { expect, it } from "vitest";
import { asAgent, BASE, content, put } from "../repositories/testing/repository-scene.ts";
import { run, snowflake, textOf } from "../testing/interactions.ts";
import { backupResultOf, serverNamed, snapshotResultOf, succeeded, TestAgent } from "../testing/test-agent.ts";

async function hostOf(store: "r2" | "local") {
  const guild = snowflake();
  const agent = await TestAgent.enrolled({ guild }, "Base", [serverNamed("island", { store })]);
  await agent.poll();
  const job = async () => {
    await run({ guild }, "backup now", { server: "island" });
    return agent.takeJob();
  };
  return { agent, job, list: async () => textOf(await run({ guild }, "backup list", { server: "island" })) };
}

it("a snapshot on the host is listed with what was new of it, beside archives", async () => {
  const { agent, job, list } = await hostOf("local");
  expect((await agent.result(await job(), succeeded(backupResultOf("island")))).status).toBe(200);
  const snapshot = "ab12cd34".padEnd(64, "0");
  expect((await agent.result(await job(), succeeded(snapshotResultOf("island", { snapshot, store: "local" })))).status).toBe(200);
  const shown = await list();
  expect(shown).toContain("2.8 GB, 20.0 MB of it stored anew, 1,234 files, stable, on the host: snapshot `ab12cd34`");
  expect(shown).toContain("1.4 GB, 1,234 files, stable, on the host: `island-20261122T143501Z.zip`");
  expect(shown).toContain("2 backups, 1.4 GB in all for 5.6 GB of files");
});

it("snapshots that the host's retention forgot leave the list", async () => {
  const { agent, job, list } = await hostOf("local");
  const [first, second] = ["1".repeat(64), "2".repeat(64)] as const;
  await agent.result(await job(), succeeded(snapshotResultOf("island", { snapshot: first, store: "local" })));
  await agent.result(await job(), succeeded(snapshotResultOf("island", { snapshot: second, store: "local", pruned: ["11111111"] })));
  const shown = await list();
  expect(shown).toContain("22222222");
  expect(shown).not.toContain("11111111");
});

it("a snapshot in R2 counts only when its file has arrived there", async () => {
  const { agent, job, list } = await hostOf("r2");
  const lost = await agent.result(await job(), succeeded(snapshotResultOf("island", { snapshot: "3".repeat(64) })));
  expect(lost.status).toBe(200);
  const report = { key: "island/by-hand/1", kind: "backup", result: snapshotResultOf("island", { snapshot: "3".repeat(64) }) };
  const refused = await agent.call("POST", "/v1/reports", report);
  expect([refused.status, await refused.json()]).toMatchObject([404, { code: "repository-file-unknown" }]);
  expect(await list()).toContain("There are none yet");

  const host = asAgent(agent);
  await put(host, "config", content(155));
  const { name } = await put(host, "snapshots", content(300));
  expect((await host.call("HEAD", `${BASE}/snapshots/${name}`)).status).toBe(200);
  await agent.result(await job(), succeeded(snapshotResultOf("island", { snapshot: name })));
  expect(await list()).toContain(`R2: snapshot \`${name.slice(0, 8)}\``);
});
