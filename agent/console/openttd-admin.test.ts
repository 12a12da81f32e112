import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { Secret } from "../config/secret.ts";
import { adminFrame, frame } from "./openttd-admin.ts";
import { consoleAt, itIsAConsole } from "./testing/conformance.ts";
import { ADMIN_PASSWORD, OpenttdServer, openttdProgram, SKIP_REASON } from "./testing/openttd.ts";

/** One server for all tests of this file: it takes a while to make its map. */
let started: Promise<OpenttdServer> | undefined;
let home = "";

async function real(skip: (why: string) => void): Promise<OpenttdServer | null> {
  const program = openttdProgram();
  if (program === null) {
    skip(SKIP_REASON);
    return null;
  }
  home ||= await mkdtemp(join(tmpdir(), "reconsync-openttd-"));
  started ??= OpenttdServer.start(program, home);
  return started;
}

afterAll(async () => {
  await (await started)?.stop();
  if (home !== "") await rm(home, { recursive: true, force: true, maxRetries: 5 });
});

const targetOf = ({ adminPort }: OpenttdServer) =>
  ({ dialect: "openttd-admin", address: "127.0.0.1", port: adminPort, password: new Secret(ADMIN_PASSWORD) }) as const;

itIsAConsole("openttd-admin", async (skip) => {
  const server = await real(skip);
  return server === null
    ? null
    : {
        target: targetOf(server),
        known: { command: "echo hello", reply: "hello" },
        long: { command: "list_cmds", reply: /(?:.*\n){50}/ },
      };
});

test("a real OpenTTD saves its map when it is told to", async (context) => {
  const server = await real((why) => context.skip(why));
  if (server === null) return;
  const reply = await consoleAt(targetOf(server)).send("save reconsync", { timeoutMs: 60_000 });
  expect(reply).toContain("Map successfully saved to 'reconsync.sav'.");
  expect(existsSync(join(server.folder, "save", "reconsync.sav"))).toBe(true);
  expect(readdirSync(join(server.folder, "save"))).toContain("reconsync.sav");
});

test("a frame is read only when all of it is there", () => {
  const bytes = adminFrame(5, "save x");
  for (let end = 0; end < bytes.length; end += 1) expect(frame(bytes.subarray(0, end))).toBeNull();
  expect(frame(Buffer.concat([bytes, bytes]))).toEqual({ packet: { type: 5, body: Buffer.from("save x\0") }, length: bytes.length });
  expect(() => frame(Buffer.of(1, 0, 0))).toThrow("frame of 1 bytes");
});
