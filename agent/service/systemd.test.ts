import { chmod, chown, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { serverConfig } from "../testing/fixtures.ts";
import { parseShow } from "./service-status.ts";
import { installSystemd, systemdStatus, uninstallSystemd } from "./systemd.ts";
import { serviceSite } from "./testing/service-site.ts";

const linux = process.platform === "linux";
const root = linux && process.getuid?.() === 0;
/** `nobody` of every Linux. */
const NOBODY = 65_534;

describe.runIf(linux)("the service under systemd", () => {
  test("is written, enabled and started, and left alone when nothing differs", async () => {
    const site = await serviceSite();
    const given = { config: site.config, node: process.execPath, script: site.script, runAs: "root" };
    await installSystemd(site.deps, given);
    expect(await site.calls()).toEqual(["daemon-reload", "enable reconsync.service", "restart reconsync.service"]);
    const unit = await site.unit();
    expect(unit).toContain(
      `ReadWritePaths=-${site.folder}/world\nReadWritePaths=-${site.folder}/backups\nReadWritePaths=-${site.folder}/state\n`,
    );
    expect((await stat(join(site.folder, "backups"))).isDirectory()).toBe(true);
    await installSystemd(site.deps, given);
    expect((await site.calls()).slice(3)).toEqual(["daemon-reload", "enable reconsync.service", "start reconsync.service"]);
    expect(await site.unit()).toBe(unit);
  });

  test("is not started before the host is enrolled, and says how to go on", async () => {
    const site = await serviceSite();
    await rm(site.config.stateFile);
    await installSystemd(site.deps, { config: site.config, node: process.execPath, script: site.script, runAs: "root" });
    expect(await site.calls()).toEqual(["daemon-reload", "enable reconsync.service"]);
    expect(site.said.join("\n")).toContain("not enrolled yet. Run reconsync enroll, then: systemctl start reconsync");
  });

  test("says what it would do in a dry run, also without root and without systemd, and does none of it", async () => {
    const site = await serviceSite({ dryRun: true, uid: 1000, booted: "/nowhere" });
    const before = await readdir(site.folder);
    await installSystemd(site.deps, { config: site.config, node: process.execPath, script: site.script, runAs: undefined });
    expect(site.said.join("\n")).toMatch(
      /Would make the backup folder[\s\S]*Would write [\s\S]*\[Service\][\s\S]*Would run: systemctl enable --now/,
    );
    await uninstallSystemd(site.deps);
    expect(await site.calls()).toEqual([]);
    expect(await readdir(site.folder)).toEqual(before);
  });

  test("of the system needs root; of a user it does not", async () => {
    const site = await serviceSite({ uid: 1000 });
    const given = { config: site.config, node: process.execPath, script: site.script, runAs: undefined };
    await expect(installSystemd(site.deps, given)).rejects.toMatchObject({ code: "not-privileged", exitCode: 77 });
    await expect(uninstallSystemd(site.deps)).rejects.toMatchObject({ code: "not-privileged" });
    await installSystemd({ ...site.deps, scope: "user" }, given);
    expect(await site.calls()).toEqual(["--user daemon-reload", "--user enable reconsync.service", "--user restart reconsync.service"]);
    expect(site.said.at(-1)).toContain("loginctl enable-linger");
    expect(await site.unit()).toContain("WantedBy=default.target");
  });

  test("is refused where systemd does not run", async () => {
    const site = await serviceSite({ booted: "/nowhere" });
    const given = { config: site.config, node: process.execPath, script: site.script, runAs: "root" };
    await expect(installSystemd(site.deps, given)).rejects.toMatchObject({ code: "no-systemd" });
  });

  test("does not touch a unit that somebody else wrote", async () => {
    const site = await serviceSite();
    await mkdir(site.deps.units);
    await writeFile(join(site.deps.units, "reconsync.service"), "[Service]\nExecStart=/bin/true\n");
    const given = { config: site.config, node: process.execPath, script: site.script, runAs: "root" };
    await expect(installSystemd(site.deps, given)).rejects.toMatchObject({ code: "unit-not-ours" });
    await expect(uninstallSystemd(site.deps)).rejects.toMatchObject({ code: "unit-not-ours" });
    expect(await site.unit()).toContain("/bin/true");
  });

  test("is stopped and removed, with everything else left, and once more without complaint", async () => {
    const site = await serviceSite();
    await installSystemd(site.deps, { config: site.config, node: process.execPath, script: site.script, runAs: "root" });
    await uninstallSystemd(site.deps);
    expect((await site.calls()).slice(3)).toEqual(["disable --now reconsync.service", "daemon-reload"]);
    expect(await readdir(site.deps.units)).toEqual([]);
    expect((await stat(site.config.stateFile)).isFile()).toBe(true);
    await uninstallSystemd(site.deps);
    expect(site.said.at(-1)).toContain("Nothing to remove.");
  });

  test("tells what systemctl said when it refuses", async () => {
    const site = await serviceSite();
    site.set({ fails: "enable" });
    const given = { config: site.config, node: process.execPath, script: site.script, runAs: "root" };
    await expect(installSystemd(site.deps, given)).rejects.toMatchObject({
      code: "service-failed",
      message: expect.stringContaining("systemctl enable reconsync.service ended with 1: Failed to enable"),
    });
  });

  test("hands over each file of the credentials' folder", async () => {
    const site = await serviceSite();
    const folder = join(site.folder, "etc/secrets");
    await mkdir(folder);
    await writeFile(join(folder, "query_password"), "x");
    await writeFile(join(folder, ".swp"), "x");
    await installSystemd(site.deps, { config: site.config, node: process.execPath, script: site.script, runAs: "root" });
    expect((await site.unit()).match(/^LoadCredential=.*$/gm)).toEqual([`LoadCredential=query_password:${folder}/query_password`]);
  });

  test("reads its state back", async () => {
    const site = await serviceSite();
    site.set({
      shows:
        "LoadState=loaded\nActiveState=failed\nSubState=failed\nUnitFileState=enabled\nMainPID=0\nExecMainStatus=78\nNRestarts=2\nResult=exit-code",
    });
    expect(await systemdStatus(site.deps)).toEqual({
      installed: true,
      running: false,
      enabled: true,
      detail: "failed (failed), ended with 78 (exit-code), started again 2 times",
    });
    const running = "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\nMainPID=42\nNRestarts=0";
    expect(parseShow({ out: running })).toEqual({ installed: true, running: true, enabled: true, detail: "active (running)", pid: 42 });
    expect(parseShow({ out: "LoadState=not-found\nActiveState=inactive\nSubState=dead" })).toMatchObject({
      installed: false,
      running: false,
    });
  });
});

describe.runIf(root)("the account of the service", () => {
  test("is the owner of the servers' folders, who then owns the backup folder too", async () => {
    const site = await serviceSite();
    await chown(join(site.folder, "world"), NOBODY, NOBODY);
    await installSystemd(site.deps, { config: site.config, node: "/bin/true", script: site.script, runAs: undefined });
    expect(await site.unit()).toContain("\nUser=nobody\n");
    expect((await stat(join(site.folder, "backups"))).uid).toBe(NOBODY);
  });

  test("is root, with a notice, when the folders have several owners, or one without an account", async () => {
    const site = await serviceSite();
    await mkdir(join(site.folder, "other"));
    await chown(join(site.folder, "other"), NOBODY, NOBODY);
    const config = { ...site.config, servers: [...site.config.servers, serverConfig("other", join(site.folder, "other"))] };
    const given = { node: process.execPath, script: site.script, runAs: undefined };
    await installSystemd({ ...site.deps, dryRun: true }, { ...given, config });
    expect(site.said[0]).toContain("have several owners, so the service runs as root");
    await chown(join(site.folder, "world"), 3_999_999, 0);
    await installSystemd({ ...site.deps, dryRun: true }, { ...given, config: site.config });
    expect(site.said.join("\n")).toContain("belong to 3999999, who has no account here");
  });

  test("must exist", async () => {
    const site = await serviceSite();
    const given = { config: site.config, node: process.execPath, script: site.script, runAs: "no-such-account" };
    await expect(installSystemd(site.deps, given)).rejects.toMatchObject({ code: "account-unknown", exitCode: 64 });
  });

  test("must be able to start the program and to read the config, which is tried", async () => {
    const site = await serviceSite();
    const given = { config: site.config, script: site.script, runAs: "nobody" };
    await chmod(site.config.file, 0o600);
    await expect(installSystemd(site.deps, { ...given, node: "/bin/true" })).rejects.toMatchObject({
      code: "account-blocked",
      message: expect.stringContaining(`cannot read ${site.config.file}`),
    });
    await chmod(site.config.file, 0o644);
    await expect(installSystemd(site.deps, { ...given, node: "/bin/false" })).rejects.toMatchObject({
      code: "account-blocked",
      message: expect.stringContaining("cannot run /bin/false"),
    });
    expect(await site.calls()).toEqual([]);
  });
});
