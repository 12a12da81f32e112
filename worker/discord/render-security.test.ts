import { env, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { guildOf } from "../env.ts";
import type { IncidentKind } from "../guild/incident-rules.ts";
import { THRESHOLDS } from "../guild/incident-rules.ts";
import { tablesOf } from "../guild/tables.ts";
import { snowflake } from "../testing/interactions.ts";
import { HEARTBEAT } from "../testing/test-agent.ts";
import type { MessageBody } from "./message.ts";
import { LIMITS } from "./message.ts";
import { securityMessage } from "./render-security.ts";

const AT = 1_800_000_000_000;

function rendered(incident: IncidentKind, who: string[], hostName = "Base"): Promise<MessageBody> {
  return runInDurableObject(guildOf(env, snowflake()), (_, state) => {
    const tables = tablesOf(state.storage.sql);
    const host = tables.hosts.add({ name: hostName, publicKey: "k", createdBy: "1", heartbeat: HEARTBEAT, address: null }, AT);
    const named = who.map((one) => one.replace("HOST", host.id));
    return securityMessage({ incident, count: 12_345, firstAt: AT - 60_000, lastAt: AT, who: named }, tables);
  });
}

it.each(Object.keys(THRESHOLDS) as IncidentKind[])("says of %s what it means and what to do, within Discord's limits", async (kind) => {
  const [embed] = (await rendered(kind, ["host HOST", "member 42", "address 192.0.2.1", "host host_gone", "address 2001:db8::1"])).embeds;
  expect(embed?.title?.length).toBeLessThanOrEqual(LIMITS.title);
  expect(embed?.description).toMatch(/refused/);
  expect(embed?.fields?.map(({ name }) => name)).toEqual(["How often", "By", "What to do"]);
  for (const { value } of embed?.fields ?? []) expect(value.length).toBeLessThanOrEqual(LIMITS.fieldValue);
  expect(embed?.fields?.[0]?.value).toBe("12,345, from <t:1799999940:f> to <t:1800000000:f>");
  expect(embed?.fields?.[1]?.value).toBe(
    [
      "the host **Base**",
      "<@42>",
      "the address `192.0.2.1`",
      "a host that is not known here, `host_gone`",
      "the address `2001:db8::1`",
    ].join("\n"),
  );
});

it("lets no name out of its place, and fits however long they are", async () => {
  const odd = `${"`".repeat(20)}@everyone **${"x".repeat(500)}`;
  const body = await rendered("replay", ["host HOST", ...Array.from({ length: 4 }, () => `address ${odd}`)], "@everyone **x** <@1>");
  const by = body.embeds[0]?.fields?.[1]?.value ?? "";
  expect(by.length).toBeLessThanOrEqual(LIMITS.fieldValue);
  expect(by.split("\n")[0]).toBe("the host **@\u200beveryone \\*\\*x\\*\\* \\<@\u200b1\\>**");
  expect(by).not.toMatch(/``/);
  expect(body.allowed_mentions).toEqual({ parse: [] });
});
