import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { startSandbox } from "./index.ts";
import { KEPT_FILES_BYTES_MAX } from "./keep-file.ts";
import { formOf, HERE, setStage } from "./testing/setup.ts";

let folder = "";
let keepFile = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sandbox-"));
  keepFile = join(folder, "inner", "sandbox.json");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("the kept state", () => {
  it("brings back ids, keys, commands, messages and interaction tokens", async () => {
    const before = await setStage({ keepFile });
    await before.register();
    const { message, token } = await before.sandbox.command({ ...HERE, command: "status" });
    const { applicationId, publicKey, botToken, guilds } = before.sandbox;
    const commands = before.sandbox.commands(before.guildId);
    await before.close();

    const after = await setStage({ keepFile });
    expect(after.sandbox).toMatchObject({ applicationId, publicKey, botToken, guilds });
    expect(after.sandbox.commands(before.guildId)).toEqual(commands);
    expect(after.sandbox.messages(before.channelId)).toEqual([message]);
    const edited = await after.call("PATCH", `/webhooks/${applicationId}/${token}/messages/@original`, { content: "still here" });
    expect(edited.status).toBe(200);
    const next = await after.sandbox.command({ ...HERE, command: "status" });
    expect(BigInt(next.message?.id ?? 0)).toBeGreaterThan(BigInt(message?.id ?? 0));
    await after.close();
  });

  it("brings back direct messages, files up to a size, and the interactions endpoint", async () => {
    const before = await setStage({ keepFile });
    const owner = before.sandbox.guilds[0]?.ownerId ?? "";
    const { body } = await before.call<{ id: string }>("POST", "/users/@me/channels", { recipient_id: owner });
    const large = new Blob([new Uint8Array(KEPT_FILES_BYTES_MAX)]);
    await before.call("POST", `/channels/${body.id}/messages`, formOf({}, { "old.bin": large }));
    await before.call("POST", `/channels/${body.id}/messages`, formOf({ content: "your report" }, { "report.csv": "a,b\n" }));
    await before.close();

    const after = await startSandbox({ keepFile });
    onTestFinished(() => after.close());
    expect(after.directChannel(owner)).toEqual({ id: body.id, userId: owner });
    const [old, report] = after.messages(body.id);
    const url = report?.attachments[0]?.url ?? "";
    expect(url.startsWith(`${after.url}/attachments/`)).toBe(true);
    expect(await (await fetch(url)).text()).toBe("a,b\n");
    expect((await fetch(old?.attachments[0]?.url ?? "")).status).toBe(404);
    const read = await fetch(`${after.apiUrl}/applications/@me`, { headers: { Authorization: `Bot ${after.botToken}` } });
    expect(await read.json()).toMatchObject({ interactions_endpoint_url: before.application.url });
  });

  it("of before there were files is taken as well", async () => {
    await startSandbox({ keepFile }).then((sandbox) => sandbox.close());
    const { interactionsUrl: _1, directs: _2, files: _3, ...old } = JSON.parse(await readFile(keepFile, "utf8"));
    await writeFile(keepFile, JSON.stringify(old));
    const sandbox = await startSandbox({ keepFile });
    expect(sandbox.directChannel(sandbox.guilds[0]?.ownerId ?? "")).toBeUndefined();
    await sandbox.close();
  });

  it("is written soon after a change, readable by its owner only", async () => {
    const { sandbox, close } = await setStage({ keepFile });
    const read = () => readFile(keepFile, "utf8").catch(() => "");
    sandbox.say({ ...HERE, content: "remember me" });
    for (let tries = 0; tries < 100 && !(await read()).includes("remember me"); tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await read()).toContain("remember me");
    if (process.platform !== "win32") expect((await stat(keepFile)).mode & 0o777).toBe(0o600);
    await close();
  });

  it("is refused when it is not one, or belongs to another seed", async () => {
    const path = join(folder, "sandbox.json");
    for (const content of ["{", "{}", '{"version":2}']) {
      await writeFile(path, content);
      await expect(startSandbox({ keepFile: path })).rejects.toMatchObject({
        code: "bad_keep_file",
        message: expect.stringContaining("Delete it"),
      });
    }
    await startSandbox({ keepFile, seed: 1 }).then((sandbox) => sandbox.close());
    await expect(startSandbox({ keepFile, seed: 2 })).rejects.toMatchObject({ code: "bad_keep_file" });
    await expect(startSandbox({ keepFile: folder })).rejects.toMatchObject({ code: "EISDIR" });
  });

  it("tells at the end when it could not be written", async () => {
    const sandbox = await startSandbox({ keepFile: join(folder, "file", "sandbox.json") });
    await writeFile(join(folder, "file"), "in the way");
    await expect(sandbox.close()).rejects.toThrow(/EEXIST|ENOTDIR/);
  });
});
