import { execFileSync } from "node:child_process";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { atOnce } from "../at-once.ts";
import { knownKeys } from "./sftp/known-hosts.ts";
import { loginFor, parseSftp } from "./sftp/login.ts";
import { type SftpOptions, SftpStore } from "./sftp.ts";
import { CONFIG_NAME } from "./store.ts";
import { infoOf, sorted, testFile } from "./testing/files.ts";
import { LeapClock } from "./testing/leap-clock.ts";
import { hasSshd, SKIP_SSHD, type Sshd, startSshd } from "./testing/sshd.ts";
import { storeSuite } from "./testing/store-suite.ts";

describe.skipIf(!hasSshd())(hasSshd() ? "SFTP" : `SFTP (${SKIP_SSHD})`, () => {
  let sshd: Sshd;
  let count = 0;
  beforeAll(async () => {
    sshd = await startSshd();
  });
  afterAll(() => sshd.stop());

  const login = () => ({
    host: "127.0.0.1",
    port: sshd.port,
    user: sshd.user,
    privateKey: sshd.privateKey,
    hostKeys: knownKeys(sshd.knownHosts, "127.0.0.1", sshd.port),
  });
  const storeAt = (folder: string, options: SftpOptions = {}) => new SftpStore(login(), folder, { random: () => 0, ...options });
  const newFolder = () => join(sshd.folder, `r${++count}`, "repository");
  const filesIn = async (folder: string) =>
    (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());

  storeSuite("an SFTP server", async () => {
    const folder = newFolder();
    return { open: async () => storeAt(folder), fileCount: async () => (await filesIn(folder)).length, close: async () => {} };
  });

  it("goes on with a new connection when the old one is lost", async () => {
    const retries: string[] = [];
    const store = storeAt(newFolder(), { clock: new LeapClock(), onRetry: (what) => retries.push(what) });
    await store.create();
    const files = [1, 2, 3].map((seed) => testFile(3_000_000, seed));
    for (const { name, bytes } of files) {
      const writing = store.write("data", name, bytes);
      sshd.dropConnections();
      await writing;
      expect(bytes.equals(await store.read("data", name))).toBe(true);
    }
    expect(await sorted(store.list("data"))).toHaveLength(3);
    await store.close();
  });

  it("uses one connection for all calls, also for the first ones, and leaves none open", async () => {
    const store = storeAt(newFolder());
    const before = sshd.connections();
    await Promise.all([1, 2, 3, 4, 5].map(() => store.stat("config", CONFIG_NAME)));
    expect(sshd.connections() - before).toBe(1);
    await store.close();
    await vi.waitFor(() => expect(sshd.connections()).toBe(before));
  });

  it("goes on however often the connection is lost, and leaves nothing unfinished behind", async () => {
    const folder = newFolder();
    const store = storeAt(folder, { clock: new LeapClock() });
    await store.create();
    const files = Array.from({ length: 12 }, (_, seed) => testFile(400_000, seed + 1));
    let drops = 0;
    const dropping = (async () => {
      for (; drops < 6; drops += 1) {
        await delay(40 + drops * 15);
        sshd.dropConnections();
      }
    })();
    await atOnce(files, store.parallel, ({ name, bytes }) => store.write("data", name, bytes));
    await dropping;
    for (const { name, bytes } of files) expect(bytes.equals(await store.read("data", name))).toBe(true);
    expect(await filesIn(folder)).toHaveLength(files.length);
    await store.close();
  });

  it("does not believe a host that it does not know, or that has another key", async () => {
    const folder = newFolder();
    const other = Buffer.from(login().hostKeys[0]?.key ?? []);
    other[other.length - 1] = (other.at(-1) ?? 0) ^ 1;
    for (const hostKeys of [[], [{ type: "ssh-ed25519", key: other }]]) {
      const store = new SftpStore({ ...login(), hostKeys }, folder);
      await expect(store.stat("config", CONFIG_NAME)).rejects.toMatchObject({ code: "store-refused", message: /ssh-keyscan/ });
    }
  });

  it("is refused with a wrong key", async () => {
    const path = join(sshd.folder, `other${++count}`);
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path]);
    const privateKey = execFileSync("cat", [path]);
    const store = new SftpStore({ ...login(), privateKey }, newFolder());
    await expect(store.stat("config", CONFIG_NAME)).rejects.toMatchObject({ code: "store-refused", message: /does not let us in/ });
  });

  it("is given up when nobody listens", async () => {
    const store = new SftpStore({ ...login(), port: 1 }, newFolder(), { clock: new LeapClock() });
    await expect(store.stat("config", CONFIG_NAME)).rejects.toMatchObject({ code: "store-unreachable", message: /8 times/ });
  });

  it("lets us in with what the account's folder holds", async () => {
    const home = join(sshd.folder, "home");
    await mkdir(join(home, ".ssh"), { recursive: true });
    const place = parseSftp(`//127.0.0.1:${sshd.port}//${newFolder().slice(1)}/`);
    if (place === null) throw new Error("no place");
    const sources = { env: {}, home, username: sshd.user };
    await expect(loginFor(place, sources)).rejects.toMatchObject({ code: "store-credentials-missing" });
    await writeFile(join(home, ".ssh/id_ed25519"), sshd.privateKey);
    await writeFile(join(home, ".ssh/known_hosts"), sshd.knownHosts);
    const store = new SftpStore(await loginFor(place, sources), place.folder);
    await store.create();
    expect(await readdir(place.folder)).toContain("snapshots");
    await store.close();
  });

  it("says so when a key needs a passphrase, and does without that key where there is another way in", async () => {
    const home = join(sshd.folder, `home${++count}`);
    await mkdir(join(home, ".ssh"), { recursive: true });
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "hunter2", "-f", join(home, ".ssh/id_ed25519")]);
    await writeFile(join(home, ".ssh/known_hosts"), sshd.knownHosts);
    const place = { host: "127.0.0.1", port: sshd.port, folder: "x" };
    const found = (env: NodeJS.ProcessEnv) => loginFor(place, { env, home, username: sshd.user });
    await expect(found({})).rejects.toMatchObject({ code: "store-credentials-missing", message: /RECONSYNC_SFTP_KEY_PASSPHRASE/ });
    await expect(found({ RECONSYNC_SFTP_KEY_PASSPHRASE: "wrong" })).rejects.toMatchObject({ code: "store-credentials-missing" });
    expect((await found({ RECONSYNC_SFTP_KEY_PASSPHRASE: "hunter2" })).privateKey).toBeDefined();
    expect(await found({ SSH_AUTH_SOCK: "/run/agent" })).toMatchObject({ privateKey: undefined, agent: "/run/agent" });
  });

  it("replaces a file that was cut short, and lets nobody change one", async () => {
    const folder = newFolder();
    const store = storeAt(folder);
    await store.create();
    const { name, bytes } = testFile(1000, 4);
    await mkdir(join(folder, "data", name.slice(0, 2)), { recursive: true });
    const path = join(folder, "data", name.slice(0, 2), name);
    await writeFile(path, "short");
    await store.write("data", name, bytes);
    expect(await sorted(store.list("data"))).toEqual([infoOf({ name, bytes })]);
    expect((await stat(path)).mode & 0o777).toBe(0o400);
    await store.close();
  });
});

describe("a place that is reached by SFTP", () => {
  it.each([
    ["me@nas:/srv/x/", { user: "me", host: "nas", port: 22, folder: "/srv/x" }],
    ["nas:backups", { user: undefined, host: "nas", port: 22, folder: "backups" }],
    ["[fe80::1]:/srv", { user: undefined, host: "fe80::1", port: 22, folder: "/srv" }],
    ["//me@nas:2222//srv/x", { user: "me", host: "nas", port: 2222, folder: "/srv/x" }],
    ["//nas/x", { user: undefined, host: "nas", port: 22, folder: "x" }],
    ["nas:/", { user: undefined, host: "nas", port: 22, folder: "/" }],
  ])("is read from %s", (text, place) => {
    expect(parseSftp(text)).toEqual(place);
  });

  it.each(["", "nas", "nas:", "//nas", "//nas:99999/x", "me:password@nas:/x", "-oProxyCommand=x:/srv", "@nas:/x"])(
    "is none in %j",
    (text) => {
      expect(parseSftp(text)).toBeNull();
    },
  );
});

describe("known hosts", () => {
  const KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIHx0";
  const keys = (text: string, host: string, port = 22) => knownKeys(text, host, port).map(({ type }) => type);

  it("are found by name, address, pattern and port", () => {
    const text = [
      `# ${KEY}`,
      `nas,10.0.0.5 ssh-ed25519 ${KEY}`,
      `*.example.org,!bad.example.org ssh-rsa ${KEY}`,
      `[nas]:2222 ecdsa-sha2-nistp256 ${KEY}`,
    ].join("\r\n");
    expect(keys(text, "nas")).toEqual(["ssh-ed25519"]);
    expect(keys(text, "NAS")).toEqual(["ssh-ed25519"]);
    expect(keys(text, "10.0.0.5")).toEqual(["ssh-ed25519"]);
    expect(keys(text, "nas", 2222)).toEqual(["ecdsa-sha2-nistp256"]);
    expect(keys(text, "a.example.org")).toEqual(["ssh-rsa"]);
    expect([...keys(text, "bad.example.org"), ...keys(text, "aXexample.org"), ...keys(text, "nas", 23)]).toEqual([]);
  });

  it("are found when their names are hashed, and not when they are revoked", () => {
    // From `ssh-keygen -H` is the form; the hash is HMAC-SHA1 of the name with the salt as its key.
    const salt = Buffer.alloc(20, 7).toString("base64");
    const hash = execFileSync("openssl", ["dgst", "-sha1", "-mac", "HMAC", "-macopt", `hexkey:${"07".repeat(20)}`, "-binary"], {
      input: "nas",
    }).toString("base64");
    expect(keys(`|1|${salt}|${hash} ssh-ed25519 ${KEY}`, "nas")).toEqual(["ssh-ed25519"]);
    expect(keys(`|1|${salt}|${hash} ssh-ed25519 ${KEY}`, "other")).toEqual([]);
    expect(keys(`@revoked nas ssh-ed25519 ${KEY}`, "nas")).toEqual([]);
  });
});
