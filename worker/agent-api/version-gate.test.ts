import { env, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { guildOf } from "../env.ts";
import { tablesOf } from "../guild/tables.ts";
import { run, snowflake, textOf } from "../testing/interactions.ts";
import { codeIn, enroll, HEARTBEAT, newKeys, TestAgent } from "../testing/test-agent.ts";
import { VERSION } from "../version.ts";
import { versionProblem } from "./version-gate.ts";

async function problemOf(response: Response): Promise<string> {
  const { code, message } = (await response.json()) as { code: string; message: string };
  return `${response.status} ${code}: ${message}`;
}

const heartbeat = (agentVersion: string) => ({ ...HEARTBEAT, agentVersion });

it.each(["0.0.9", "0.1.0-rc.1", "dev", ""])(
  "tells an agent of version %j how to update, at the enrolment and at each poll",
  async (old) => {
    const guild = snowflake();
    const code = codeIn(textOf(await run({ guild }, "agent register", { name: "Old" })));
    const keys = await newKeys();
    const said = await problemOf(await enroll(code, keys, {}, { heartbeat: heartbeat(old) }));
    expect(said).toContain("426 agent-too-old");
    expect(said).toContain(`it is version ${old || "unknown"}, and ${env.AGENT_VERSION_MIN} or newer is needed`);
    expect(said).toContain("sudo sh install.sh --from reconsync-VERSION.tgz");
    // The code was not used up: it is good after the update.
    expect((await enroll(code, keys)).status).toBe(200);
    const agent = await TestAgent.enrolled({ guild }, "Base");
    expect(await problemOf(await agent.pollResponse({ heartbeat: heartbeat(old) }))).toContain("426 agent-too-old");
    expect((await agent.pollResponse()).status).toBe(204);
  },
);

it("lets in newer agents, and all when no version is asked for", async () => {
  const agent = await TestAgent.enrolled({ guild: snowflake() }, "Base");
  expect((await agent.pollResponse({ heartbeat: heartbeat("9.9.9-beta.1+build") })).status).toBe(204);
  expect(versionProblem(heartbeat("dev"), { AGENT_VERSION_MIN: "" })).toBeNull();
});

it("marks hosts in /agent list whose agent is older than the Worker", async () => {
  const guild = snowflake();
  const agent = await TestAgent.enrolled({ guild }, "Base");
  await agent.pollResponse({ heartbeat: heartbeat(VERSION) });
  expect(textOf(await run({ guild }, "agent list"))).not.toContain("update available");
  // As it was before the Worker was updated.
  await runInDurableObject(guildOf(env, guild), (instance, state) => {
    const at = instance.clock.now();
    tablesOf(state.storage.sql).hosts.setSeen(agent.host, at, heartbeat("0.0.9"), { at, servers: [] });
  });
  expect(textOf(await run({ guild }, "agent list"))).toContain("agent 0.0.9 on linux · **update available**");
  const newer = `${Number(VERSION.split(".")[0]) + 1}.0.0`;
  await agent.pollResponse({ heartbeat: heartbeat(newer) });
  expect(textOf(await run({ guild }, "agent list"))).toContain(`agent ${newer} on linux`);
  expect(textOf(await run({ guild }, "agent list"))).not.toContain("update available");
});
