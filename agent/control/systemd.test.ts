import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { UNIT_PATTERN } from "../../schemas/config-control.ts";
import { assertStopped } from "./control.ts";
import { unitState } from "./systemd.ts";
import { fakeSystemd, gamePlace, never, saved, worldOf } from "./testing/parts.ts";

const LONG = { timeout: 120_000 };

describe.skipIf(process.platform !== "linux")("a unit of systemd", () => {
  test("stops after it has saved and starts again, asked for by its name and without passwords", LONG, async () => {
    const place = await gamePlace();
    const { control, calls } = await fakeSystemd(place);
    expect(control.way).toBe("systemd unit game.service");
    expect(await control.state(never)).toBe("stopped");
    await control.stop(never);
    await control.start(never);
    await saved(place);
    expect(await control.state(never)).toBe("running");
    await control.start(never);
    await control.stop(never);
    expect((await worldOf(place)).why).toBe("SIGTERM");
    await assertStopped(control, never);
    const orders = (await calls()).filter((it) => !it.includes(" show "));
    expect(orders).toEqual([
      "--no-ask-password reset-failed -- game.service",
      "--no-ask-password start --no-block -- game.service",
      "--no-ask-password stop --no-block -- game.service",
    ]);
  });

  test("of the account's own systemd is asked there", LONG, async () => {
    const { control, calls } = await fakeSystemd(await gamePlace(), { user: true });
    await control.state(never);
    expect((await calls())[0]).toMatch(/^--user --no-ask-password show /);
  });

  test("that comes back by itself is noticed before its files are touched", LONG, async () => {
    const place = await gamePlace();
    const { control } = await fakeSystemd(place);
    await control.stop(never);
    // Waiting to be restarted counts as running: it would start in the middle of the work.
    await writeFile(join(place.folder, "looping"), "");
    await expect(assertStopped(control, never)).rejects.toMatchObject({
      code: "server-came-back",
      message: expect.stringContaining("systemd unit game.service"),
    });
    await rm(join(place.folder, "looping"));
    await assertStopped(control, never);
  });

  test("that does not stop in time, that is not there, and that the agent may not manage: each is told of", LONG, async () => {
    const place = await gamePlace("deaf");
    const { control, set } = await fakeSystemd(place, { stopTimeoutMs: 300 });
    await control.start(never);
    await saved(place);
    await expect(control.stop(never)).rejects.toMatchObject({ code: "server-stop-timeout" });
    await set({ refuses: true });
    await expect(control.stop(never)).rejects.toMatchObject({
      code: "server-stop-failed",
      message: expect.stringMatching(/exit code 4: Failed to stop game.service: Interactive authentication required.*control\.md/),
    });
    const missing = await fakeSystemd(await gamePlace(), { unit: "gone.service" });
    const unknown = expect.stringContaining("systemd knows no such unit");
    await expect(missing.control.stop(never)).rejects.toMatchObject({ code: "server-stop-failed", message: unknown });
    await expect(missing.control.start(never)).rejects.toMatchObject({ code: "server-start-failed", message: unknown });
  });
});

test.each([
  ["LoadState=loaded\nActiveState=active\nMainPID=12\n", "running"],
  ["LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nMainPID=0\n", "running"],
  ["LoadState=loaded\nActiveState=deactivating\nSubState=stop-sigterm\n", "running"],
  ["LoadState=loaded\nActiveState=inactive\nMainPID=0\nTasksCurrent=[not set]\n", "stopped"],
  ["LoadState=loaded\nActiveState=failed\nMainPID=0\nTasksCurrent=18446744073709551615\n", "stopped"],
  ["LoadState=loaded\nActiveState=failed\nMainPID=0\nTasksCurrent=3\n", "running"],
  ["LoadState=not-found\nActiveState=inactive\n", "unknown"],
  ["", "unknown"],
])("systemctl's %j means %s", (shown, state) => {
  expect(unitState(shown).state).toBe(state);
});

test.each([
  ["valheim.service", true],
  ["valheim@island", true],
  ["valheim@island-2.service", true],
  ["ark\\x2dserver.service", true],
  ["valheim", false],
  ["valheim@.service", false],
  ["*.service", false],
  ["-H.service", false],
  ["a b.service", false],
  ["a.timer", false],
  ["a/b.service", false],
  [`${"x".repeat(260)}.service`, false],
])("%s as the name of a unit: %s", (name, allowed) => {
  expect(UNIT_PATTERN.test(name)).toBe(allowed);
});
