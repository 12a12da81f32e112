import { inspect } from "node:util";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { testServer } from "../monitor/testing/servers.ts";
import type { HostConfig, ServerConfig } from "./host-config.ts";
import { describeConfig, hashConfig } from "./redact.ts";
import { Secret } from "./secret.ts";

const config = (...servers: ServerConfig[]): HostConfig => ({
  file: "/etc/reconsync/config.yaml",
  hash: "",
  stateFile: "/state.db",
  log: { level: "info", format: "auto" },
  servers,
});

test("a secret prints the same whatever it is, everywhere but where it is asked for", () => {
  for (const value of ["", "a", "hunter2".repeat(100)]) {
    const secret = new Secret(value);
    expect(String(secret)).toBe("«redacted»");
    expect(`${secret}`).toBe("«redacted»");
    expect(JSON.stringify({ secret })).toBe('{"secret":"«redacted»"}');
    expect(inspect({ secret })).toBe("{ secret: «redacted» }");
    expect(Object.keys(secret)).toEqual([]);
    expect(secret.reveal()).toBe(value);
  }
});

test("the described config is YAML in the words of config.yaml, with secrets redacted by what they are", () => {
  const text = describeConfig(
    config(testServer({ query: { type: "protocol-valve", password: new Secret("hunter2") }, process: { pidFile: "/run/x.pid" } })),
  );
  expect(text).not.toContain("hunter2");
  expect(text.split("\n", 1)).toEqual(["# /etc/reconsync/config.yaml"]);
  expect(parse(text)).toMatchObject({
    state: "/state.db",
    servers: [
      {
        id: "test",
        game: "test-game",
        query: { type: "protocol-valve", password: "«redacted»" },
        process: { pid_file: "/run/x.pid" },
        backup: { retention: { keep_last: 10 } },
      },
    ],
  });
});

test("the described config says when a game is not asked, and keeps no secret at an unexpected place", () => {
  const odd = testServer();
  Object.assign(odd.backup, { store: { type: "local", folder: new Secret("/mnt/s3cret") } });
  expect(parse(describeConfig(config(odd)))).toMatchObject({ servers: [{ query: false, backup: { store: { folder: "«redacted»" } } }] });
});

test("the hash tells configs apart by their meaning, not by secrets, order of keys or the file", () => {
  const hash = (server: ServerConfig) => hashConfig(config(server));
  const base = hash(testServer({ query: { type: "x" } }));
  expect(base).toMatch(/^[0-9a-f]{64}$/);
  expect(hash(testServer({ query: { type: "x", password: new Secret("one") } }))).toBe(base);
  expect(hash(testServer({ query: { type: "x", password: new Secret("two") } }))).toBe(base);
  expect(hashConfig({ ...config(testServer({ query: { type: "x" } })), stateFile: "/state.db" })).toBe(base);
  const { id, ...rest } = testServer({ query: { type: "x" } });
  expect(hash({ ...rest, id })).toBe(base);
  expect(hash(testServer({ query: { type: "y" } }))).not.toBe(base);
  expect(hash(testServer({ query: { type: "x" }, folder: "/other" }))).not.toBe(base);
});
