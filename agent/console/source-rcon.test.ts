import { once } from "node:events";
import { createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import type { ConsoleDialect } from "../../schemas/hold.ts";
import { systemClock } from "../clock.ts";
import { Secret } from "../config/secret.ts";
import { QUEUE_MAX } from "./client.ts";
import { frame, packet } from "./source-rcon.ts";
import { consoleAt, itIsAConsole } from "./testing/conformance.ts";
import { RconServer, type RconServerOptions } from "./testing/rcon-server.ts";

const KINDS = [
  ["source-rcon", "source"],
  ["source-rcon-minecraft", "minecraft"],
  ["source-rcon-idle", "factorio"],
] as const satisfies [ConsoleDialect, RconServerOptions["kind"]][];

/** Longer than any packet, with characters of two and three bytes that fall on the ends of parts. */
const LONG = `begin ${"äöü€".repeat(3000)} end`;

const run = (command: string) => (command === "long" ? LONG : command === "nothing" ? "" : `did ${command}`);

async function standIn(kind: RconServerOptions["kind"]): Promise<RconServer> {
  const server = await RconServer.start({ password: "secret", kind, run });
  onTestFinished(() => server.stop());
  return server;
}

const targetOf = (dialect: ConsoleDialect, { port }: { port: number }) => ({
  dialect,
  address: "127.0.0.1",
  port,
  password: new Secret("secret"),
});

for (const [dialect, kind] of KINDS) {
  itIsAConsole(dialect, async () => {
    const server = await standIn(kind);
    return {
      target: targetOf(dialect, server),
      known: { command: "list", reply: "did list" },
      long: { command: "long", reply: new RegExp(`^${LONG}$`) },
      hangUp: async () => {
        server.hangUp();
        await systemClock.sleep(100);
      },
    };
  });
}

describe.each(KINDS)("%s", (dialect, kind) => {
  test("puts a long reply together from all of its packets", async () => {
    const server = await standIn(kind);
    expect(await consoleAt(targetOf(dialect, server)).send("long")).toBe(LONG);
  });

  test("reads packets that come joined, and in pieces of any size", async () => {
    const server = await standIn(kind);
    const console = consoleAt(targetOf(dialect, server));
    server.faults.coalesce = true;
    expect(await console.send("long")).toBe(LONG);
    expect(await console.send("list")).toBe("did list");
    server.faults.coalesce = false;
    for (const splitBytes of [1, 3, 13]) {
      server.faults.splitBytes = splitBytes;
      expect(await console.send("list", { timeoutMs: 30_000 })).toBe("did list");
    }
    server.faults.splitBytes = 1009;
    expect(await console.send("long", { timeoutMs: 30_000 })).toBe(LONG);
    server.hangUp();
    await systemClock.sleep(100);
    server.faults.splitBytes = 1;
    expect(await console.send("list", { timeoutMs: 30_000 })).toBe("did list");
  });

  test("leaves packets alone that belong to another command", async () => {
    const server = await standIn(kind);
    server.faults.noise = true;
    const console = consoleAt(targetOf(dialect, server));
    expect(await console.send("one")).toBe("did one");
    expect(await console.send("two")).toBe("did two");
  });

  test("takes an empty reply for what it is", async () => {
    const server = await standIn(kind);
    const console = consoleAt(targetOf(dialect, server));
    expect(await console.send("nothing")).toBe("");
    expect(await console.send("list")).toBe("did list");
  });

  test("judges a login by its own answer only", async () => {
    const server = await standIn(kind);
    server.faults.login = "reply-first";
    const refused = consoleAt({ ...targetOf(dialect, server), password: new Secret("wrong") });
    await expect(refused.connect()).rejects.toMatchObject({ code: "console-login-refused" });
    expect(server.logins).toBe(1);
    expect(await consoleAt(targetOf(dialect, server)).send("list")).toBe("did list");
    // A server that sends the plain reply alone has not let anybody in.
    server.faults.login = "reply-only";
    await expect(consoleAt(targetOf(dialect, server)).connect({ timeoutMs: 300 })).rejects.toMatchObject({ code: "console-timeout" });
  });

  test("gives up a command that is never answered, and is of use afterwards", async () => {
    const server = await standIn(kind);
    const console = consoleAt(targetOf(dialect, server));
    server.faults.silent = true;
    await expect(console.send("list", { timeoutMs: 300 })).rejects.toMatchObject({ code: "console-timeout" });
    server.faults.silent = false;
    expect(await console.send("again")).toBe("did again");
    expect(server.commands).toEqual(["list", "again"]);
  });

  test("gives up a login that is never answered", async () => {
    const server = await standIn(kind);
    server.faults.silentLogin = true;
    await expect(consoleAt(targetOf(dialect, server)).connect({ timeoutMs: 300 })).rejects.toMatchObject({ code: "console-timeout" });
  });

  test("does not send a command twice when the connection breaks over it", async () => {
    const server = await standIn(kind);
    const console = consoleAt(targetOf(dialect, server));
    await console.connect();
    for (const drop of ["before", "half"] as const) {
      server.faults.drop = drop;
      await expect(console.send(drop)).rejects.toMatchObject({ code: "console-lost" });
    }
    server.faults.drop = undefined;
    expect(await console.send("after")).toBe("did after");
    expect(server.commands).toEqual(["half", "after"]);
  });

  test("says so when what answers is no such console", async () => {
    const server = await standIn(kind);
    const console = consoleAt(targetOf(dialect, server));
    for (const garbage of [Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"), Buffer.alloc(64, 0xff), Buffer.alloc(64)]) {
      server.faults.garbage = garbage;
      await expect(console.send("list")).rejects.toMatchObject({ code: "console-odd-answer" });
    }
    server.faults.garbage = undefined;
    expect(await console.send("list")).toBe("did list");
  });
});

test("commands of many callers do not run into one another", async () => {
  const server = await RconServer.start({
    password: "secret",
    kind: "source",
    run: async (command) => {
      await systemClock.sleep(5);
      return `did ${command}`;
    },
  });
  onTestFinished(() => server.stop());
  const console = consoleAt(targetOf("source-rcon", server));
  const names = Array.from({ length: QUEUE_MAX }, (_, n) => `command ${n}`);
  const replies = await Promise.all(names.map((name) => console.send(name, { timeoutMs: 60_000 })));
  expect(replies).toEqual(names.map((name) => `did ${name}`));
  expect(server.commands).toEqual(names);
  expect(server.atOnceMax).toBe(1);
  expect(server.logins).toBe(1);
});

test("a queue that is full refuses, and is not full for ever", async () => {
  const server = await standIn("source");
  const console = consoleAt(targetOf("source-rcon", server));
  const waiting = Array.from({ length: QUEUE_MAX }, (_, n) => console.send(`c${n}`, { timeoutMs: 60_000 }));
  await expect(console.send("too much")).rejects.toMatchObject({ code: "console-busy" });
  await Promise.all(waiting);
  expect(await console.send("list")).toBe("did list");
});

test("a server that comes up a moment later is found", async () => {
  const placeholder = createServer().listen(0, "127.0.0.1");
  await once(placeholder, "listening");
  const address = placeholder.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  placeholder.close();
  await once(placeholder, "close");
  const reply = consoleAt(targetOf("source-rcon", { port })).send("list", { timeoutMs: 30_000 });
  await systemClock.sleep(100);
  const server = await RconServer.start({ password: "secret", kind: "source", run, port });
  onTestFinished(() => server.stop());
  expect(await reply).toBe("did list");
});

test("a packet is read only when all of it is there, and never beyond its end", () => {
  const bytes = Buffer.concat([packet(7, 0, "one"), packet(8, 0, "")]);
  for (let end = 0; end < 17; end += 1) expect(frame(bytes.subarray(0, end))).toBeNull();
  expect(frame(bytes)).toEqual({ packet: { id: 7, type: 0, body: Buffer.from("one") }, length: 17 });
  expect(frame(bytes.subarray(17))).toEqual({ packet: { id: 8, type: 0, body: Buffer.alloc(0) }, length: 14 });
  expect(() => frame(Buffer.alloc(4))).toThrow("packet of 0 bytes");
});
