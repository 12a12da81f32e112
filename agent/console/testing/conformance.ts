import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../clock.ts";
import { Secret } from "../../config/secret.ts";
import { openConsole } from "../client.ts";
import type { Console, ConsoleTarget } from "../console.ts";
import { DIALECTS } from "../dialects.ts";

/** A server to try a dialect on: it goes when the test ends. */
export interface ConsoleScene {
  target: ConsoleTarget;
  /** A command with a reply that is known, and one whose reply is long. */
  known: { command: string; reply: string | RegExp };
  long: { command: string; reply: RegExp };
  /** Ends every connection, as a restart of the server does. Resolves when it can be connected to again. */
  hangUp?: () => Promise<void>;
}

/** Opens a console that is closed when the test ends. */
export function consoleAt(target: ConsoleTarget): Console {
  const console = openConsole(target, systemClock);
  onTestFinished(() => console.close());
  return console;
}

/** What every dialect does, whatever its server is: `scene` answers null where there is no such server, having skipped the test. */
export function itIsAConsole(name: string, scene: (skip: (why: string) => void) => Promise<ConsoleScene | null>): void {
  const trial = (what: string, body: (it: ConsoleScene) => Promise<void>) =>
    test(`${name}: ${what}`, async (context) => {
      const it = await scene((why) => context.skip(why));
      if (it !== null) await body(it);
    });

  trial("answers a command, and the next one on the same connection", async ({ target, known }) => {
    const console = consoleAt(target);
    await console.connect();
    expect(await console.send(known.command)).toMatch(known.reply);
    expect(await console.send(known.command)).toMatch(known.reply);
  });

  trial("gives each of many commands asked at once its own reply", async ({ target, known, long }) => {
    const console = consoleAt(target);
    const replies = await Promise.all([long, known, long, known].map(({ command }) => console.send(command, { timeoutMs: 60_000 })));
    for (const [at, asked] of [long, known, long, known].entries()) expect(replies[at]).toMatch(asked.reply);
  });

  trial("is not let in with a wrong password, says so, and does not try again", async ({ target }) => {
    const console = consoleAt({ ...target, password: new Secret("not this one") });
    await expect(console.connect()).rejects.toMatchObject({ code: "console-login-refused", message: expect.stringContaining("password") });
    await expect(console.send("anything")).rejects.toMatchObject({ code: "console-login-refused" });
  });

  trial("never shows the password, in no error and no print", async ({ target }) => {
    const console = consoleAt({ ...target, password: new Secret("pa55-of-mine") });
    const error = await console.connect().catch((it: unknown) => it);
    expect(`${String(error)} ${JSON.stringify(error)} ${JSON.stringify(target)}`).not.toContain("pa55");
  });

  trial("sends nothing that holds a line break or a NUL, is empty or too long", async ({ target, known }) => {
    const console = consoleAt(target);
    for (const text of [
      "say a\nstop",
      "say a\rstop",
      "a\0b",
      "a\u2028b",
      "",
      "  ",
      "x".repeat(DIALECTS[target.dialect].commandBytesMax + 1),
    ]) {
      await expect(console.send(text)).rejects.toMatchObject({ code: "console-bad-text" });
    }
    expect(await console.send(known.command)).toMatch(known.reply);
  });

  trial("says that a port where nobody listens cannot be reached", async ({ target }) => {
    const console = consoleAt({ ...target, port: 1 });
    await expect(console.send("anything")).rejects.toMatchObject({ code: "console-unreachable" });
  });

  trial("connects again by itself after the server ended the connection", async ({ target, known, hangUp }) => {
    const console = consoleAt(target);
    expect(await console.send(known.command)).toMatch(known.reply);
    if (hangUp === undefined) return;
    await hangUp();
    expect(await console.send(known.command)).toMatch(known.reply);
  });

  trial("stops at its signal, and the next command is answered", async ({ target, known }) => {
    const console = consoleAt(target);
    await expect(console.send(known.command, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
    expect(await console.send(known.command)).toMatch(known.reply);
  });

  trial("takes nothing more once it is closed", async ({ target, known }) => {
    const console = consoleAt(target);
    await console.connect();
    await console.close();
    await expect(console.send(known.command)).rejects.toMatchObject({ code: "console-lost" });
  });
}
