import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { permissionsIn } from "./permissions.ts";
import { HERE, type Stage, setStage } from "./testing/setup.ts";

const ADMINISTRATOR = 8n;
const MANAGE_GUILD = 32n;

let stage: Stage;

beforeEach(async () => {
  stage = await setStage();
  await stage.register();
});
afterEach(() => stage.close());

function reef() {
  const [guild] = stage.sandbox.guilds;
  if (guild === undefined) throw new Error("There should be a guild.");
  return guild;
}

async function sentBy(member: Parameters<Stage["sandbox"]["command"]>[0]["member"]) {
  await stage.sandbox.command({ ...HERE, member, command: "status" });
  return stage.application.received.at(-1)?.member;
}

describe("permissions", () => {
  const guild = {
    id: "1",
    ownerId: "10",
    roles: [
      { id: "1", name: "@everyone", permissions: "2048", position: 0, color: 0 },
      { id: "2", name: "Manager", permissions: "32", position: 1, color: 0 },
      { id: "3", name: "Chief", permissions: "8", position: 2, color: 0 },
    ],
  };

  it.each([
    ["what @everyone has, without roles", "11", [], 2048n],
    ["what the roles add", "11", ["2"], 2048n | MANAGE_GUILD],
    ["nothing by roles that there are not", "11", ["9"], 2048n],
  ])("are %s", (_, user, roles, permissions) => {
    expect(BigInt(permissionsIn(guild, user, roles))).toBe(permissions);
  });

  it("are all of them for administrators and for the guild's owner", () => {
    for (const [user, roles] of [
      ["11", ["3"]],
      ["10", []],
    ] as const) {
      const all = BigInt(permissionsIn(guild, user, roles));
      expect(all & (ADMINISTRATOR | MANAGE_GUILD | 2048n)).toBe(ADMINISTRATOR | MANAGE_GUILD | 2048n);
    }
  });
});

describe("members", () => {
  it("of the default guild are an owner, an admin, a moderator with a role, and a player", async () => {
    const sent = [];
    for (const label of ["owner", "admin", "moderator", "player"]) sent.push(await sentBy(label));
    const rights = sent.map((member) => BigInt(member?.permissions ?? 0) & (ADMINISTRATOR | MANAGE_GUILD));
    expect(rights).toEqual([ADMINISTRATOR | MANAGE_GUILD, MANAGE_GUILD, 0n, 0n]);
    const names = (ids: readonly string[] = []) => ids.map((id) => reef().roles.find((role) => role.id === id)?.name);
    expect(sent.map((member) => names(member?.roles))).toEqual([["owner"], ["admin"], ["Helpers"], []]);
  });

  it("can be added with roles, which tell their permissions", async () => {
    const manager = stage.sandbox.addRole("Reef Raiders", { name: "Manager", permissions: "32", color: 0xff0000 });
    const anna = stage.sandbox.addMember("Reef Raiders", { name: "Anna", roles: ["Manager", "Helpers"] });
    expect(await sentBy("Anna")).toMatchObject({ roles: anna.roles, user: { id: anna.id, global_name: "Anna" } });
    expect(anna.roles).toContain(manager.id);
    expect(BigInt(anna.permissions) & MANAGE_GUILD).toBe(MANAGE_GUILD);
    const { roles, permissions } = stage.sandbox.setRoles("Reef Raiders", "Anna", []);
    expect(roles).toEqual([]);
    expect(BigInt(permissions) & MANAGE_GUILD).toBe(0n);
    expect(await sentBy("Anna")).toMatchObject({ roles: [], permissions });
  });

  it("can be added with permissions and an id of their own", async () => {
    stage.sandbox.addMember("Iron Outpost", { name: "Bob", id: "7000000000000001", permissions: "0" });
    await stage.sandbox.command({ ...HERE, guild: "Iron Outpost", member: "Bob", command: "status" });
    expect(stage.application.received.at(-1)?.member).toMatchObject({ user: { id: "7000000000000001" }, permissions: "0" });
  });

  it("are the same user in each guild, as long as they have the same name", () => {
    const { id } = stage.sandbox.addMember("Iron Outpost", { name: "Pebble" });
    expect(id).toBe(reef().members.find((member) => member.name === "Pebble")?.id);
  });

  it("are refused twice, and with roles that there are not", () => {
    const { sandbox } = stage;
    expect(() => sandbox.addMember("Reef Raiders", { name: "Coral" })).toThrow(expect.objectContaining({ code: "known_member" }));
    expect(() => sandbox.addMember("Reef Raiders", { name: "New", roles: ["Kings"] })).toThrow(
      expect.objectContaining({ code: "unknown_role" }),
    );
    expect(() => sandbox.addRole("Reef Raiders", { name: "Helpers" })).toThrow(expect.objectContaining({ code: "known_role" }));
    expect(() => sandbox.setRoles("Reef Raiders", "Nobody", [])).toThrow(expect.objectContaining({ code: "unknown_member" }));
    expect(reef().members.some((member) => member.name === "New")).toBe(false);
  });
});

describe("somebody made up", () => {
  it("uses a command with the roles and permissions that the test names", async () => {
    const helpers = reef().roles.find((role) => role.name === "Helpers")?.id;
    expect(await sentBy({ id: "9000000000000001", roles: ["Helpers"] })).toMatchObject({
      user: { id: "9000000000000001", global_name: "Visitor 0001" },
      roles: [helpers],
      permissions: reef().members.find((member) => member.name === "Finn")?.permissions,
    });
    expect(await sentBy({ id: "9000000000000001", name: "Ghost", permissions: "32" })).toMatchObject({
      user: { global_name: "Ghost" },
      roles: [],
      permissions: "32",
    });
    expect(reef().members.some((member) => member.id === "9000000000000001")).toBe(false);
  });

  it("is a member with other rights for one interaction, when there is one of that id", async () => {
    const [marlin] = reef().members;
    expect(await sentBy({ id: marlin?.id ?? "", permissions: "0" })).toMatchObject({ permissions: "0", roles: marlin?.roles });
    expect(await sentBy("owner")).toMatchObject({ permissions: marlin?.permissions });
  });

  it("meets the same conditions of a command as members do, and sees ephemeral answers", async () => {
    const ghost = { id: "9000000000000001" };
    const backup = { ...HERE, command: "backup now", options: { server: "reef" } };
    await expect(stage.sandbox.command({ ...backup, member: ghost })).rejects.toMatchObject({ code: "not_permitted" });
    stage.application.reply = () => ({ body: { type: 4, data: { content: "psst", flags: 64 } } });
    const { message } = await stage.sandbox.command({ ...backup, member: { ...ghost, permissions: "32" } });
    expect(message).toMatchObject({ ephemeralFor: ghost.id });
  });
});

it("roles are inserted below the others, above @everyone", () => {
  stage.sandbox.addRole("Reef Raiders", { name: "Newcomers" });
  const order = reef()
    .roles.toSorted((a, b) => b.position - a.position)
    .map((role) => role.name);
  expect(order).toEqual(["owner", "admin", "Helpers", "Newcomers", "@everyone"]);
  expect(new Set(reef().roles.map((role) => role.position)).size).toBe(5);
});

describe("menus", () => {
  it("of roles, members and channels send what was chosen, resolved", async () => {
    const menus = [5, 6, 7, 8].map((type) => ({ type: 1, components: [{ type, custom_id: `menu-${type}`, max_values: 2 }] }));
    stage.application.reply = ({ type }) => ({ body: type === 2 ? { type: 4, data: { content: "x", components: menus } } : { type: 6 } });
    const { message } = await stage.sandbox.command({ ...HERE, command: "status" });
    const [channel, role, member] = [reef().channels[1]?.id ?? "", reef().roles[3]?.id ?? "", reef().members[2]?.id ?? ""];
    const choose = async (type: number, values: string[]) => {
      await stage.sandbox.component({ ...HERE, message: message?.id ?? "", customId: `menu-${type}`, values });
      return stage.application.received.at(-1)?.data;
    };
    expect(await choose(5, [member])).toMatchObject({
      component_type: 5,
      values: [member],
      resolved: { users: { [member]: {} }, members: {} },
    });
    expect(await choose(6, [role])).toMatchObject({ resolved: { roles: { [role]: { name: "Helpers" } } } });
    expect(await choose(7, [role, member])).toMatchObject({ resolved: { roles: { [role]: {} }, users: { [member]: {} } } });
    expect(await choose(8, [channel])).toMatchObject({ resolved: { channels: { [channel]: { name: "servers" } } } });
    await expect(choose(6, [member])).rejects.toMatchObject({ code: "bad_values" });
    await expect(choose(8, [])).rejects.toMatchObject({ code: "bad_values" });
  });
});
