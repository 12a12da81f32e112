import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { Secret } from "../config/secret.ts";
import { observeQuery, playersOf } from "./query.ts";
import { asksTheInternet, isQueryType } from "./query-types.ts";
import { a2sResponder, minecraftResponder, startTcp, startUdp } from "./testing/parts.ts";
import { testServer } from "./testing/servers.ts";

describe("a Source query", () => {
  test("answers with name, map and players, and what strangers wrote is made harmless", async () => {
    const players = [
      "Ann",
      "b\u0000ad\u001b[31m",
      "\u202eevil",
      " spaces \t here ",
      "x".repeat(200),
      "",
      ...Array.from({ length: 10 }, (_, index) => `p${index}`),
    ];
    const { port } = await startUdp(a2sResponder({ name: "My\nserver", map: "de_dust", players, max: 32 }));
    const { query, problems } = await observeQuery(
      testServer({ ports: { query: port }, query: { type: "protocol-valve", password: new Secret("unused") } }),
    );
    expect(problems).toEqual([]);
    expect(query).toMatchObject({ state: "answered", name: "My server", map: "de_dust", players: { online: 16, max: 32 } });
    expect(query?.pingMs).toBeGreaterThanOrEqual(0);
    expect(query?.players?.names).toHaveLength(10);
    for (const name of query?.players?.names ?? []) {
      expect(name).toMatch(/^[ -~]{1,64}$/);
    }
  });

  test("goes to the query port and no other", async () => {
    let asked = 0;
    const wrong = await startUdp(() => {
      asked += 1;
      return undefined;
    });
    const right = await startUdp(a2sResponder({ name: "x", map: "y", players: ["Ann"], max: 4 }));
    const server = testServer({ ports: { game: wrong.port, query: right.port }, query: { type: "valheim" } });
    expect((await observeQuery(server)).query).toMatchObject({ state: "answered", players: { online: 1, names: ["Ann"] } });
    expect(asked).toBe(0);
  });

  test("without an answer is silent, within its bound, and says so without naming a path", async () => {
    const { port } = await startUdp();
    expect(await observeQuery(testServer({ ports: { game: port }, query: { type: "ase" } }))).toEqual({
      query: { state: "silent" },
      problems: [`No answer to a query of type ase on 127.0.0.1:${port}.`],
    });
  });
});

test("a Minecraft server whose answer is garbled is silent", async () => {
  const { port } = await startTcp(() => Buffer.from("\x0c\x00\x0ano json {{{{"));
  expect((await observeQuery(testServer({ ports: { game: port }, query: { type: "protocol-minecraftvanilla" } }))).query).toEqual({
    state: "silent",
  });
});

test("a Minecraft server tells its players", async () => {
  const { port } = await startTcp(
    minecraftResponder({
      online: 2,
      max: 20,
      sample: [
        { name: "Ann", id: "1" },
        { name: "Bob", id: "2" },
      ],
    }),
  );
  const { query } = await observeQuery(testServer({ ports: { game: port, query: port }, query: { type: "protocol-minecraftvanilla" } }));
  expect(query).toMatchObject({ state: "answered", players: { online: 2, max: 20, names: ["Ann", "Bob"] } });
});

test("a Minecraft server is asked by a name of its host too", async () => {
  const { port } = await startTcp(minecraftResponder({ online: 0, max: 20 }));
  const { query } = await observeQuery(
    testServer({ address: "localhost", ports: { game: port }, query: { type: "protocol-minecraftvanilla" } }),
  );
  expect(query).toMatchObject({ state: "answered", players: { online: 0, max: 20, names: [] } });
});

test("a server without a query is not asked", async () => {
  expect(await observeQuery(testServer({ ports: { game: 1 } }))).toEqual({ problems: [] });
});

test.each([
  [{ numplayers: 0, maxplayers: 0, players: [] }, undefined],
  [
    { numplayers: 0, maxplayers: 8, players: [] },
    { online: 0, max: 8, names: [] },
  ],
  [
    { numplayers: 3, maxplayers: 0, players: [] },
    { online: 3, names: [] },
  ],
  [
    { numplayers: 0, maxplayers: 8, players: [{ name: "Ann" }] },
    { online: 1, max: 8, names: ["Ann"] },
  ],
  [{ numplayers: Number.NaN, maxplayers: -1, players: [] }, undefined],
])("players of %j", (answer, expected) => {
  expect(playersOf(answer)).toEqual(expected);
});

describe("types of queries", () => {
  test("are those of gamedig", async () => {
    for (const type of ["valheim", "sdtd", "protocol-valve"]) expect(await isQueryType(type)).toBe(true);
    for (const type of ["nothing", "protocol-nothing", "toString", "protocol-toString"]) expect(await isQueryType(type)).toBe(false);
  });

  test("that ask the Internet are known: every protocol of gamedig with a fixed address in it", async () => {
    const folder = path.resolve(import.meta.dirname, "../../node_modules/gamedig/protocols");
    const asking: string[] = [];
    for (const file of await readdir(folder)) {
      const source = (await readFile(path.join(folder, file), "utf8")).replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
      const inherits = /extends (?:Epic|hawakeningmaster|brokeprotocolmaster)\b/.test(source);
      if (inherits || /["'`]https?:\/\/[a-z0-9]/.test(source)) asking.push(path.basename(file, ".js"));
    }
    expect(asking.length).toBeGreaterThan(10);
    for (const protocol of asking)
      expect([protocol, await asksTheInternet(`protocol-${protocol}`)]).toEqual([protocol, await isQueryType(`protocol-${protocol}`)]);
    for (const type of ["asa", "factorio", "squad"]) expect(await asksTheInternet(type)).toBe(true);
    for (const type of ["ase", "valheim", "rust", "sdtd", "protocol-minecraftvanilla"]) expect(await asksTheInternet(type)).toBe(false);
  });
});
