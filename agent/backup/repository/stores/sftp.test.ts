import { execFileSync, spawn } from "node:child_process";
import { mkdir, readdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { AuthenticationType } from "ssh2";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { atOnce } from "../at-once.ts";
import { fingerprintOf, knownKeys } from "./sftp/known-hosts.ts";
import { loginFor, parseSftp } from "./sftp/login.ts";
import { waysIn } from "./sftp/ways-in.ts";
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
    privateKeys: [sshd.privateKey],
    trust: { ...knownKeys(sshd.knownHosts, "127.0.0.1", sshd.port), fingerprints: [] },
  });
  const storeAt = (folder: string, options: SftpOptions = {}) => new SftpStore(login(), folder, { random: () => 0, ...options });
  const newFolder = () => join(sshd.folder, `r${++count}`, "repository");
  /** A home whose `.ssh` holds these files. */
  const homeOf = async (files: Record<string, string | Buffer>) => {
    const home = join(sshd.folder, `home${++count}`);
    await mkdir(join(home, ".ssh"), { recursive: true });
    for (const [name, bytes] of Object.entries(files)) await writeFile(join(home, ".ssh", name), bytes);
    return home;
  };
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
    // Those of the tests before take a moment to end.
    await vi.waitFor(() => expect(sshd.connections()).toBe(0));
    await Promise.all([1, 2, 3, 4, 5].map(() => store.stat("config", CONFIG_NAME)));
    expect(sshd.connections()).toBe(1);
    await store.close();
    await vi.waitFor(() => expect(sshd.connections()).toBe(0));
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

  const hostKey = () => login().trust.keys[0]?.key ?? Buffer.alloc(0);
  const newKey = async () => {
    const path = join(sshd.folder, `key${++count}`);
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path]);
    return { path, key: await readFile(path) };
  };

  it("does not believe a host that it does not know, or that has another key", async () => {
    const folder = newFolder();
    const other = Buffer.from(hostKey());
    other[other.length - 1] = (other.at(-1) ?? 0) ^ 1;
    for (const keys of [[], [{ type: "ssh-ed25519", key: other }]]) {
      const store = new SftpStore({ ...login(), trust: { keys, fingerprints: [], revoked: [] } }, folder);
      await expect(store.stat("config", CONFIG_NAME)).rejects.toMatchObject({ code: "store-refused", message: /ssh-keyscan/ });
    }
  });

  it("says so when a host has no key of a kind by which it is known", async () => {
    const keys = [{ type: "ssh-rsa", key: hostKey() }];
    const store = new SftpStore({ ...login(), trust: { keys, fingerprints: [], revoked: [] } }, newFolder());
    await expect(store.stat("config", CONFIG_NAME)).rejects.toMatchObject({ code: "store-refused", message: /ssh-keyscan/ });
  });

  it("believes a host by the fingerprint of its key, as ssh-keygen shows it, and by no other", async () => {
    const [, shown = ""] = /(SHA256:\S+)/.exec(execFileSync("ssh-keygen", ["-lf", join(sshd.folder, "host.pub")]).toString()) ?? [];
    const home = await homeOf({ id_ed25519: sshd.privateKey });
    const place = { host: "127.0.0.1", port: sshd.port, folder: newFolder() };
    const storeBy = async (fingerprints: string) => {
      const sources = { env: { RECONSYNC_SFTP_HOST_KEY: fingerprints }, home, username: sshd.user };
      return new SftpStore(await loginFor(place, sources), place.folder);
    };
    const other = `SHA256:${"A".repeat(43)}`;
    for (const right of [shown, `${shown}=`, `${other} ${shown}`, `${other},${shown}`]) {
      const store = await storeBy(right);
      expect(await store.stat("config", CONFIG_NAME)).toBeNull();
      await store.close();
    }
    const refused = { code: "store-refused", message: new RegExp(`shows ${shown.replace(/[+/]/g, ".")}`) };
    await expect((await storeBy(other)).stat("config", CONFIG_NAME)).rejects.toMatchObject(refused);
    // Then what the account knows does not count.
    await writeFile(join(home, ".ssh/known_hosts"), sshd.knownHosts);
    await expect((await storeBy(other)).stat("config", CONFIG_NAME)).rejects.toMatchObject(refused);
    for (const wrong of ["MD5:aa:bb", "SHA256:short", `${shown} yes`]) {
      await expect(storeBy(wrong)).rejects.toMatchObject({ code: "store-credentials-missing", message: /RECONSYNC_SFTP_HOST_KEY/ });
    }
  });

  it("refuses a host whose key is revoked, however else it is known", async () => {
    const revoked = sshd.knownHosts.replace(/^(?!#)(?=.)/gm, "@revoked ");
    const home = await homeOf({ id_ed25519: sshd.privateKey, known_hosts: `${sshd.knownHosts}\n${revoked}` });
    const place = { host: "127.0.0.1", port: sshd.port, folder: newFolder() };
    for (const env of [{}, { RECONSYNC_SFTP_HOST_KEY: fingerprintOf(hostKey()) }]) {
      const store = new SftpStore(await loginFor(place, { env, home, username: sshd.user }), place.folder);
      await expect(store.stat("config", CONFIG_NAME)).rejects.toMatchObject({ code: "store-refused", message: /@revoked/ });
    }
  });

  it("is refused with a wrong key", async () => {
    const store = new SftpStore({ ...login(), privateKeys: [(await newKey()).key] }, newFolder());
    await expect(store.stat("config", CONFIG_NAME)).rejects.toMatchObject({ code: "store-refused", message: /does not let us in/ });
  });

  it("tries each key of the account, and the one that the host takes lets us in", async () => {
    const [first, second] = [await newKey(), await newKey()];
    const home = await homeOf({ id_ed25519: first.key, id_ecdsa: second.key, id_rsa: sshd.privateKey, known_hosts: sshd.knownHosts });
    const place = { host: "127.0.0.1", port: sshd.port, folder: newFolder() };
    const store = new SftpStore(await loginFor(place, { env: {}, home, username: sshd.user }), place.folder);
    expect(await store.stat("config", CONFIG_NAME)).toBeNull();
    await store.close();
  });

  it("says that it is not let in when it has more keys than the host wants to see", async () => {
    const strict = await startSshd(["MaxAuthTries 2"]);
    try {
      const privateKeys = [(await newKey()).key, (await newKey()).key, (await newKey()).key];
      const trust = { ...knownKeys(strict.knownHosts, "127.0.0.1", strict.port), fingerprints: [] };
      const store = new SftpStore({ ...login(), port: strict.port, trust, privateKeys }, newFolder());
      await expect(store.stat("config", CONFIG_NAME)).rejects.toMatchObject({ code: "store-refused", message: /does not let us in/ });
    } finally {
      await strict.stop();
    }
  });

  it("is let in by an ssh-agent, and does without one that is not there", async () => {
    const { path } = await newKey();
    await writeFile(path, sshd.privateKey);
    const socket = join(sshd.folder, `agent${++count}`);
    const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
    try {
      await vi.waitFor(() => execFileSync("ssh-add", ["-q", path], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: "ignore" }));
      const store = new SftpStore({ ...login(), privateKeys: [], agent: socket }, newFolder());
      expect(await store.stat("config", CONFIG_NAME)).toBeNull();
      await store.close();
    } finally {
      agent.kill();
    }
    const gone = join(sshd.folder, "nobody");
    const refused = new SftpStore({ ...login(), privateKeys: [], agent: gone }, newFolder());
    await expect(refused.stat("config", CONFIG_NAME)).rejects.toMatchObject({ code: "store-refused" });
  });

  it("takes away what writers left behind that died, and nothing else", async () => {
    const folder = newFolder();
    const store = storeAt(folder);
    await store.create();
    const { name, bytes } = testFile(1000, 6);
    const beside = join(folder, "data", name.slice(0, 2));
    const leftover = `${name.replace(/.$/, "0")}-tmp-0123456789ab`;
    const young = `${name.replace(/.$/, "1")}-tmp-0123456789ab`;
    const foreign = "notes-tmp-old";
    const hoursAgo = (hours: number) => new Date(Date.now() - hours * 60 * 60_000);
    for (const [file, hours] of [
      [leftover, 25],
      [young, 23],
      [foreign, 1000],
    ] as const) {
      await writeFile(join(beside, file), "unfinished");
      await utimes(join(beside, file), hoursAgo(hours), hoursAgo(hours));
    }
    await store.write("data", name, bytes);
    expect((await readdir(beside)).sort()).toEqual([foreign, name, young].sort());
    await store.close();
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
    expect((await found({ RECONSYNC_SFTP_KEY_PASSPHRASE: "hunter2" })).privateKeys).toHaveLength(1);
    expect(await found({ SSH_AUTH_SOCK: "/run/agent" })).toMatchObject({ privateKeys: [], agent: "/run/agent" });
    await writeFile(join(home, ".ssh/id_rsa"), sshd.privateKey);
    expect(await found({})).toMatchObject({ privateKeys: [sshd.privateKey] });
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
  const keys = (text: string, host: string, port = 22) => knownKeys(text, host, port).keys.map(({ type }) => type);
  const revoked = (text: string, host: string) => knownKeys(text, host, 22).revoked.map((key) => key.toString("base64"));

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

  it("are found when their names are hashed, and not when they are revoked or those of an authority", () => {
    // From `ssh-keygen -H` is the form; the hash is HMAC-SHA1 of the name with the salt as its key.
    const salt = Buffer.alloc(20, 7).toString("base64");
    const hash = execFileSync("openssl", ["dgst", "-sha1", "-mac", "HMAC", "-macopt", `hexkey:${"07".repeat(20)}`, "-binary"], {
      input: "nas",
    }).toString("base64");
    expect(keys(`|1|${salt}|${hash} ssh-ed25519 ${KEY}`, "nas")).toEqual(["ssh-ed25519"]);
    expect(keys(`|1|${salt}|${hash} ssh-ed25519 ${KEY}`, "other")).toEqual([]);
    expect(keys(`@revoked nas ssh-ed25519 ${KEY}`, "nas")).toEqual([]);
    expect(revoked(`@revoked * ssh-ed25519 ${KEY}\n@revoked |1|${salt}|${hash} ssh-rsa ${KEY}`, "nas")).toEqual([KEY, KEY]);
    expect(revoked(`@revoked nas ssh-ed25519 ${KEY}\n@cert-authority * ssh-ed25519 ${KEY}`, "other")).toEqual([]);
    expect(keys(`@cert-authority * ssh-ed25519 ${KEY}`, "nas")).toEqual([]);
  });
});

describe("the ways into a host", () => {
  const login = {
    host: "nas",
    port: 22,
    user: "me",
    trust: { keys: [], fingerprints: [], revoked: [] },
    password: "p",
    privateKeys: [Buffer.from("one"), Buffer.from("two")],
    agent: "/run/agent",
  };
  /** What is tried when the host says in turn what it takes. */
  const triedOf = (...answers: (AuthenticationType[] | null)[]) => {
    const handler = waysIn(login);
    return answers.map((taken) => {
      const tried: unknown[] = [];
      handler(taken as AuthenticationType[], false, (way) => tried.push(typeof way === "object" ? way.type : way));
      return tried[0];
    });
  };

  it("are asked for, then tried one by one, each once", () => {
    const all: AuthenticationType[] = ["publickey", "password"];
    expect(triedOf(null, all, all, all, all, all)).toEqual(["none", "password", "publickey", "publickey", "agent", false]);
  });

  it("are passed over when the host does not take them, and a password is kept until the host wants one after a key", () => {
    expect(triedOf(null, ["publickey"], ["password"], ["password"])).toEqual(["none", "publickey", "password", false]);
  });
});
