import { expect, test } from "vitest";
import { facts, gameProfile } from "./profile.ts";

const PROFILE = {
  id: "game",
  name: "Game",
  sources: [{ key: "wiki", url: "https://example.org/wiki" }],
  folder: { hint: "The folder.", sources: ["wiki"] },
  backup: { include: [{ globs: ["**"], unverified: true }], exclude: [] },
  ports: { game: { port: 1, protocol: "udp", sources: ["wiki"] } },
};

const messages = (changes: object) =>
  gameProfile.safeParse({ ...PROFILE, ...changes }).error?.issues.map((it) => `${it.path.join(".")}: ${it.message}`);

test("a small profile is valid, and all its facts can be listed", () => {
  const profile = gameProfile.parse({
    ...PROFILE,
    process: { linux: { name: "game", unverified: true } },
    query: { type: "game", sources: ["wiki"] },
  });
  expect(facts(profile).map(([path]) => path.join("."))).toEqual(["folder", "backup.include.0", "ports.game", "process.linux", "query"]);
});

test("every fact names its sources or says that it is unverified", () => {
  expect(messages({ folder: { hint: "The folder." } })).toContain("folder: give sources, or say unverified: true");
  expect(messages({ folder: { hint: "The folder.", sources: [] } })).toEqual([expect.stringContaining("folder.sources: ")]);
});

test("sources are there, are used, and have one key each", () => {
  expect(messages({ folder: { hint: "x", sources: ["wiki", "gone"] } })).toEqual(['folder.sources: no source has the key "gone"']);
  expect(messages({ sources: [...PROFILE.sources, { key: "idle", text: "x" }] })).toEqual(['sources.1: no fact uses the source "idle"']);
  expect(messages({ sources: [...PROFILE.sources, ...PROFILE.sources] })).toEqual(["sources: two sources have the same key"]);
  expect(messages({ sources: [{ key: "wiki" }] })).toContain("sources.0: give a url or a text");
  expect(messages({ sources: [{ key: "wiki", url: "javascript:alert(1)" }] })).toEqual([expect.stringContaining("sources.0.url: ")]);
});

test("a query port is a number or an offset", () => {
  const query = (it: object) => messages({ ports: { ...PROFILE.ports, query: { protocol: "udp", unverified: true, ...it } } });
  expect(query({ port: 5 })).toBeUndefined();
  expect(query({ offset: 1 })).toBeUndefined();
  expect(query({})).toContain("ports.query: give either port or offset");
  expect(query({ port: 5, offset: 1 })).toContain("ports.query: give either port or offset");
});

test.each([
  { id: "Game" },
  { id: "-game" },
  { console: {} },
  { backup: { include: [], exclude: [] } },
  { backup: { include: [{ globs: ["../x"], unverified: true }], exclude: [] } },
  { process: { linux: { name: "/usr/bin/game", unverified: true } } },
  { query: { type: "Game!", unverified: true } },
  { ports: { game: { port: 70_000, protocol: "udp", unverified: true } } },
])("not a profile: %j", (changes) => {
  expect(messages(changes)).toBeDefined();
});
