import { GuildRoleResponseSchema, GuildWithCountsResponseSchema } from "discord-api-spec/zod";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Stage, setStage } from "../testing/setup.ts";

let stage: Stage;

beforeEach(async () => {
  stage = await setStage();
});
afterEach(() => stage.close());

it("a guild tells its owner and its roles, in the shape of Discord's specification", async () => {
  const [guild] = stage.sandbox.guilds;
  const { status, body } = await stage.call<{ roles: unknown[] }>("GET", `/guilds/${stage.guildId}`);
  expect(status).toBe(200);
  expect(body).toMatchObject({ id: stage.guildId, name: "Reef Raiders", owner_id: guild?.members[0]?.id });
  expect(GuildWithCountsResponseSchema.safeParse(body)).toMatchObject({ success: true });
  const roles = await stage.call<unknown[]>("GET", `/guilds/${stage.guildId}/roles`);
  expect(roles).toMatchObject({
    status: 200,
    body: [
      { id: stage.guildId, name: "@everyone", position: 0 },
      { name: "owner", position: 3, permissions: "8" },
      { name: "admin", position: 2, permissions: "32" },
      { name: "Helpers", position: 1, permissions: "0", color: 0x2ecc71, colors: { primary_color: 0x2ecc71 } },
    ],
  });
  expect(roles.body).toEqual(body.roles);
  for (const role of roles.body) expect(GuildRoleResponseSchema.safeParse(role)).toMatchObject({ success: true });
});

it("roles that a test adds are there at once", async () => {
  const { id } = stage.sandbox.addRole(stage.guildId, { name: "Night shift" });
  const { body } = await stage.call<{ id: string }[]>("GET", `/guilds/${stage.guildId}/roles`);
  expect(body.map((role) => role.id)).toContain(id);
});

it("both need the bot's token and a guild with the bot, and are limited and faulted as other calls", async () => {
  for (const path of [`/guilds/${stage.guildId}`, `/guilds/${stage.guildId}/roles`]) {
    expect((await stage.call("GET", path, undefined, { Authorization: "Bot wrong" })).status).toBe(401);
    expect(await stage.call("GET", path.replace(stage.guildId, "1"))).toMatchObject({ status: 404, body: { code: 10004 } });
    stage.sandbox.faults.set({ route: "/guilds/**", count: 1, effect: { kind: "rate-limit", retryAfterSeconds: 0.001 } });
    const limited = await stage.call("GET", path);
    expect(limited.status).toBe(429);
    expect(limited.headers.get("x-ratelimit-scope")).toBe("user");
    expect((await stage.call("DELETE", path)).status).toBe(405);
  }
});
