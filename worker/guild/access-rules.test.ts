import { expect, it } from "vitest";
import type { Grant, Member, Tier } from "./access-rules.ts";
import { decide, decideAnywhere } from "./access-rules.ts";

const ROLE = "600000000000000001";
const EVERYONE = "100000000000000009";
const NONE = "0";
const MANAGE = "32";
const ADMINISTRATOR = "8";

const member = (permissions: string, roles: string[] = [EVERYONE, ROLE]): Member => ({ id: "400000000000000004", roles, permissions });
const grant = (more: Partial<Grant> = {}): Grant => ({
  id: 1,
  subject: { kind: "role", id: ROLE },
  tier: "admin",
  command: null,
  server: null,
  ...more,
});
const command = (tier: Tier, name = "backup now") => ({ name, tier });

it.each<[string, Tier, string | false]>([
  [NONE, "user", "everybody"],
  [NONE, "admin", false],
  [NONE, "owner", false],
  [MANAGE, "user", "everybody"],
  [MANAGE, "admin", "permission Manage Server"],
  [MANAGE, "owner", false],
  [ADMINISTRATOR, "user", "everybody"],
  [ADMINISTRATOR, "admin", "permission Administrator"],
  [ADMINISTRATOR, "owner", "permission Administrator"],
  // Bits that ReconSync does not know, beyond 53 bits.
  [(2n ** 60n + 32n).toString(), "admin", "permission Manage Server"],
  [(2n ** 60n).toString(), "admin", false],
])("decides by Discord's permissions %s for the tier %s", (permissions, tier, by) => {
  const expected = by === false ? { allowed: false, missing: tier } : { allowed: true, by };
  expect(decide(member(permissions), command(tier), null, [])).toEqual(expected);
});

it.each<[string, Partial<Grant>, Tier, string | null, boolean]>([
  ["a role that the member has", {}, "admin", null, true],
  ["a role that it does not have", { subject: { kind: "role", id: "7" } }, "admin", null, false],
  ["everyone", { subject: { kind: "role", id: EVERYONE } }, "admin", null, true],
  ["the member itself", { subject: { kind: "member", id: "400000000000000004" } }, "admin", null, true],
  ["another member", { subject: { kind: "member", id: "5" } }, "admin", null, false],
  ["a member with the id of its role", { subject: { kind: "member", id: ROLE } }, "admin", null, false],
  ["a lower tier", { tier: "user" }, "admin", null, false],
  ["a higher tier", { tier: "owner" }, "admin", null, true],
  ["this command", { command: "backup now" }, "admin", null, true],
  ["all commands of the word", { command: "backup" }, "admin", null, true],
  ["a command that begins alike", { command: "back" }, "admin", null, false],
  ["another command", { command: "backup list" }, "admin", null, false],
  ["this server", { server: "island" }, "admin", "island", true],
  ["another server", { server: "island" }, "admin", "ridge", false],
  ["a server, for a command that names none", { server: "island" }, "admin", null, false],
  ["every server", { server: null }, "admin", "island", true],
  ["this command on this server", { command: "backup now", server: "island" }, "admin", "island", true],
  ["this command on another server", { command: "backup now", server: "island" }, "admin", "ridge", false],
])("counts a grant for %s", (_, more, tier, server, allowed) => {
  const decision = decide(member(NONE), command(tier), server, [grant(more)]);
  expect(decision.allowed).toBe(allowed);
  if (decision.allowed) expect(decision.by).toMatch(/^grant 1 \((role|member) \d+\)$/);
  else expect(decision.missing).toBe(tier);
});

it("names the first grant that allows it among many", () => {
  const grants = [grant({ id: 1, server: "ridge" }), grant({ id: 2, tier: "user" }), grant({ id: 3 }), grant({ id: 4 })];
  expect(decide(member(NONE), command("admin"), "island", grants)).toEqual({ allowed: true, by: `grant 3 (role ${ROLE})` });
});

it("offers a command when it may be used on any server", () => {
  const grants = [grant({ server: "island" })];
  expect(decideAnywhere(member(NONE), command("admin"), ["ridge", "island"], grants)).toBe(true);
  expect(decideAnywhere(member(NONE), command("admin"), ["ridge"], grants)).toBe(false);
  expect(decideAnywhere(member(NONE), command("owner"), ["ridge", "island"], grants)).toBe(false);
});
