import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../testing/fixtures.ts";
import { askCommand, SECRET_BYTES_MAX } from "./secret-command.ts";

/** A real program in the place of a secret manager. */
const script = (code: string, ...args: string[]) => [process.execPath, "-e", code, "--", ...args];
const ask = (command: string[], given: { env?: NodeJS.ProcessEnv; signal?: AbortSignal; timeoutMs?: number } = {}) =>
  askCommand(command, "rcon", { env: given.env ?? {}, ...given });

describe("a command that gives secrets", () => {
  test("gets the name inside its arguments, no shell, and the agent's environment; the line break at the end is cut", async () => {
    const code = "console.log(process.argv.slice(1).join('|') + process.env.TOKEN)";
    const command = script(code, "op://games/{name}/{name}", "$(id); `id` & {name}");
    expect(await ask(command, { env: { TOKEN: "t" } })).toEqual({ ok: true, text: "op://games/rcon/rcon|$(id); `id` & rcont" });
    expect(await ask(script("process.stdout.write('a\\r\\n')", "{name}"))).toEqual({ ok: true, text: "a" });
    expect(await ask(script("process.stdout.write('a\\n\\n')", "{name}"))).toEqual({ ok: true, text: "a\n" });
  });

  test("that fails says with which code and why, never the secret", async () => {
    const code = "process.stdout.write('hunter2\\n'); console.error('no\\x1b[31m access\\n  to hunter2'); process.exitCode = 3";
    expect(await ask(script(code))).toEqual({ ok: false, problem: "secret_command ended with exit code 3: no [31m access to «redacted»" });
    const chatty = await ask(script("console.error('x'.repeat(5000)); process.exitCode = 1"));
    expect(chatty).toMatchObject({ ok: false, problem: expect.stringMatching(/^secret_command ended with exit code 1: x{300}…$/) });
    expect(await ask(script("process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 1e5)"))).toEqual({
      ok: false,
      problem: "secret_command was ended by SIGTERM",
    });
  });

  test("that answers nothing, or no text, or too much, is refused", async () => {
    expect(await ask(script("console.error('locked')"))).toEqual({ ok: false, problem: "secret_command answered nothing: locked" });
    expect(await ask(script("console.log()"))).toEqual({ ok: false, problem: "secret_command answered nothing" });
    expect(await ask(script("process.stdout.write(Buffer.from([0xff, 0xfe]))"))).toMatchObject({
      problem: "secret_command answered something that is no UTF-8 text",
    });
    const lots = await ask(script(`process.stdout.write('s'.repeat(${SECRET_BYTES_MAX + 1}))`));
    expect(lots).toEqual({ ok: false, problem: "secret_command answered more than 64 KiB" });
    expect(await ask(script(`process.stdout.write('s'.repeat(${SECRET_BYTES_MAX}))`))).toMatchObject({ ok: true });
  });

  test("that hangs is ended, also one that does not mind, and one whose child keeps its output open", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "reconsync-secret-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const stubborn = "process.on('SIGTERM', () => {}); setTimeout(() => {}, 20_000)";
    expect(await ask(script(stubborn), { timeoutMs: 300 })).toEqual({ ok: false, problem: "secret_command did not answer in 0.3 s" });
    const parent = `require('child_process').spawn(process.execPath, ['-e', 'setTimeout(() => {}, 20000)'], { stdio: 'inherit' })
      .on('spawn', () => require('fs').writeFileSync(process.argv[1], 'x'))`;
    expect(await ask(script(parent, path.join(folder, "spawned")), { timeoutMs: 1500 })).toMatchObject({ ok: false });
    const stop = new AbortController();
    const asked = ask(
      script("require('fs').writeFileSync(process.argv[1], 'x'); setTimeout(() => {}, 20_000)", path.join(folder, "began")),
      {
        signal: stop.signal,
      },
    );
    await eventually(() => existsSync(path.join(folder, "began")), "it runs");
    stop.abort();
    expect(await asked).toEqual({ ok: false, problem: "secret_command was stopped" });
  });

  test("is not kept waiting for somebody to type", async () => {
    expect(await ask(script("process.stdin.on('data', () => {}).on('end', () => console.log('went on'))"))).toMatchObject({
      text: "went on",
    });
  });

  test("that cannot be started says so", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "reconsync-secret-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await writeFile(path.join(folder, "plain"), "no program");
    expect(await ask(["no-such-program-here", "{name}"])).toEqual({
      ok: false,
      problem: 'secret_command cannot start: there is no program "no-such-program-here"',
    });
    expect(await ask([path.join(folder, "plain"), "{name}"])).toMatchObject({ problem: expect.stringContaining("(EACCES)") });
    expect(await ask(["a\0b", "{name}"])).toMatchObject({ ok: false, problem: expect.stringContaining("secret_command failed") });
  });
});
