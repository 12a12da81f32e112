import { expect, it } from "vitest";
import { claimOf, credentialFor, readBasic, resticUrl } from "./credentials.ts";

const SECRET = "a secret of the tests, long enough to sign with";
const GUILD = "100000000000000777";

it("is the same for the same interaction, and another one for every other interaction, guild and secret", async () => {
  const first = await credentialFor(SECRET, GUILD, "1");
  expect(await credentialFor(SECRET, GUILD, "1")).toEqual(first);
  const others = [
    credentialFor(SECRET, GUILD, "2"),
    credentialFor(SECRET, "100000000000000778", "1"),
    credentialFor(`${SECRET}!`, GUILD, "1"),
  ];
  for (const other of await Promise.all(others)) expect(other.password).not.toBe(first.password);
  expect(first.password).toMatch(/^[0-9a-z]{28}$/);
});

it("is known as our own by its tag, before anybody is asked", async () => {
  const made = await credentialFor(SECRET, GUILD, "1");
  expect(await claimOf(SECRET, made)).toEqual({ guild: GUILD, genuine: true });
  const changed = `${made.password.slice(0, 5)}${made.password[5] === "0" ? "1" : "0"}${made.password.slice(6)}`;
  for (const password of [changed, "", "x", made.password.slice(1), `${made.password}0`, made.password.toUpperCase()])
    expect(await claimOf(SECRET, { ...made, password })).toEqual({ guild: GUILD, genuine: false });
  expect(await claimOf(SECRET, { ...made, user: "1-00000000" })).toBeNull();
  expect(await claimOf(`${SECRET}!`, made)).toBeNull();
  const neighbour = await credentialFor(SECRET, "100000000000000778", "1");
  expect(await claimOf(SECRET, { user: neighbour.user, password: made.password })).toMatchObject({ genuine: false });
});

it("is read out of the header that HTTP Basic has", () => {
  expect(readBasic(`Basic ${btoa("user:pass:word")}`)).toEqual({ user: "user", password: "pass:word" });
  expect(readBasic(`basic ${btoa("user:")}`)).toEqual({ user: "user", password: "" });
  for (const header of [
    undefined,
    "",
    "Basic",
    "Basic !!!",
    `Basic ${btoa("no colon")}`,
    "Bearer x",
    `Basic ${"A".repeat(1000)}`,
    "Basic a",
  ])
    expect(readBasic(header)).toBeNull();
});

it("stands in the line that restic takes", () => {
  const line = resticUrl("https://reconsync.example.workers.dev", { user: "3f9k-a1b2c3d4", password: "s3cret" }, "island");
  expect(line).toBe("rest:https://3f9k-a1b2c3d4:s3cret@reconsync.example.workers.dev/v1/repositories/island/");
  expect(resticUrl("http://127.0.0.1:8787", { user: "u", password: "p" }, "a")).toBe("rest:http://u:p@127.0.0.1:8787/v1/repositories/a/");
});
