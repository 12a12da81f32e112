// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in texts are what is tested.
import { chmod, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { ConfigError } from "./config-error.ts";
import { loadConfig } from "./load-config.ts";
import { describeConfig } from "./redact.ts";
import { Secret } from "./secret.ts";
import { temporaryFolder } from "./testing/fixtures.ts";
import { load, problemsOf, profilesFolder, SHORTEST } from "./testing/load.ts";

describe("what a config comes to", () => {
  test("the shortest config takes everything else from the profile and the defaults", async () => {
    const config = await load(SHORTEST);
    expect(config).toMatchObject({ stateFile: "/var/lib/reconsync/state.db", log: { level: "info", format: "auto" }, notices: [] });
    expect(config.hash).toMatch(/^[0-9a-f]{64}$/);
    const [{ profile, ...server } = expect.fail()] = config.servers;
    expect(profile.name).toBe("ARK: Survival Evolved");
    expect(server).toEqual({
      id: "island",
      name: "island",
      folder: "/srv/ark",
      address: "127.0.0.1",
      ports: { game: 7777, query: 27015 },
      process: { name: "ShooterGameServer" },
      query: { type: "ase" },
      backup: {
        format: "repository",
        bandwidth: {},
        lowPriority: true,
        include: ["ShooterGame/Saved/**"],
        exclude: expect.arrayContaining(["**/*.tmp"]),
        store: { type: "r2" },
        retention: { keepLast: 10 },
        schedules: [],
        compression: 1,
      },
      verify: { daily: true, drill: "weekly" },
    });
  });

  test("everything can be said", async () => {
    const config = await load(`state: /data/state.db
log: {level: debug, format: json}
servers:
  - id: two
    name: Number two
    game: valheim
    folder: /srv/valheim/
    address: 10.0.0.5
    ports: {game: 3456}
    process: {pid_file: /run/valheim.pid, name: valheim_server.x86_64}
    query: {type: protocol-valve}
    backup:
      format: zip
      include: ["extra/**", "worlds_local/**"]
      exclude: ["**/*.bak"]
      store: {type: local, folder: /mnt/backups/}
      retention: {keep_last: 3, keep_days: 1.5}
      compression: 9
`);
    expect(config).toMatchObject({ stateFile: "/data/state.db", log: { level: "debug", format: "json" } });
    expect(config.servers[0]).toMatchObject({
      id: "two",
      name: "Number two",
      folder: "/srv/valheim",
      address: "10.0.0.5",
      ports: { game: 3456, query: 3457 },
      process: { pidFile: "/run/valheim.pid", name: "valheim_server.x86_64" },
      query: { type: "protocol-valve" },
      backup: {
        include: ["worlds_local/**", "adminlist.txt", "bannedlist.txt", "permittedlist.txt", "extra/**"],
        exclude: ["**/*_backup_*", "**/*_backup_*/**", "**/*.bak"],
        store: { type: "local", folder: "/mnt/backups" },
        retention: { keepLast: 3, keepDays: 1.5 },
        compression: 9,
      },
    });
  });

  test("a repository can lie at an address, with a mirror, credentials that are not shown, and a limit", async () => {
    const store = "{type: url, url: 's3:https://s3.example.org/bucket/worlds/', credentials: {AWS_SECRET_ACCESS_KEY: hush}}";
    const more =
      "      mirror: {type: local, folder: /mnt/usb/}\n      bandwidth: {upload: 512}\n      low_priority: false\n      compression: 3\n";
    const config = await load(SHORTEST.replace("{type: r2}", store) + more);
    expect(config.servers[0]?.backup).toMatchObject({
      format: "repository",
      store: { type: "url", url: "s3:https://s3.example.org/bucket/worlds/" },
      mirror: { type: "local", folder: "/mnt/usb" },
      bandwidth: { upload: 512 * 1024 },
      lowPriority: false,
      compression: 3,
    });
    const store2 = config.servers[0]?.backup.store;
    expect(store2?.type === "url" ? store2.credentials.AWS_SECRET_ACCESS_KEY?.reveal() : "").toBe("hush");
    const shown = describeConfig(config);
    expect(shown).not.toContain("hush");
    expect(shown).toContain("upload: 512");
  });

  test("with profile_globs: false only the config's own globs count", async () => {
    const config = await load(`${SHORTEST.trimEnd()}\n      profile_globs: false\n      include: ["x/**"]\n`);
    expect(config.servers[0]?.backup).toMatchObject({ include: ["x/**"], exclude: [] });
  });

  test("query: false asks nobody, and a game that cannot be asked on its host is not asked", async () => {
    expect((await load(`${SHORTEST}    query: false\n`)).servers[0]?.query).toBeUndefined();
    expect((await load(SHORTEST.replace("game: ark", "game: factorio"))).servers[0]?.query).toBeUndefined();
  });

  test("Windows paths need no quotes, and the process has its name on Windows", async () => {
    const text = SHORTEST.replace("/srv/ark", "C:\\Games\\Ark\\").replace("{type: r2}", "{type: local, folder: 'D:/Backups'}");
    const config = await load(text, { platform: "win32", env: { PROGRAMDATA: "E:\\Data" } });
    expect(config.stateFile).toBe("E:\\Data\\ReconSync\\state.db");
    expect(config.servers[0]).toMatchObject({
      folder: "C:\\Games\\Ark",
      process: { name: "ShooterGameServer.exe" },
      backup: { store: { folder: "D:\\Backups" } },
    });
  });

  test("anchors share settings between servers", async () => {
    const config = await load(`servers:
  - {id: a, game: ark, folder: /srv/a, backup: &b {store: {type: r2}, compression: 3}}
  - {id: b, game: ark, folder: /srv/b, backup: *b}
`);
    expect(config.servers.map((it) => it.backup.compression)).toEqual([3, 3]);
  });
});

describe("variables", () => {
  test("stand in any text, with a default, and can be escaped", async () => {
    const config = await load(
      SHORTEST.replace("/srv/ark", "${BASE}/${MAP:-island}").replace(
        "id: island",
        () => "id: island\n    name: $${BASE} is ${EMPTY:-none}",
      ),
      {
        env: { BASE: "/games", EMPTY: "" },
      },
    );
    expect(config.servers[0]).toMatchObject({ folder: "/games/island", name: "${BASE} is none" });
  });

  test("what comes out of a variable is not expanded again", async () => {
    const config = await load(SHORTEST.replace("id: island", "id: island\n    name: ${A}"), { env: { A: "${B}" } });
    expect(config.servers[0]?.name).toBe("${B}");
  });

  test("one that is not set is an error with its place, never left as it stands", async () => {
    expect(await problemsOf(SHORTEST.replace("/srv/ark", "/srv/${NOPE}"))).toEqual([
      "4:13 servers[0].folder: the environment variable NOPE is not set. Set it for the agent, or give a default: ${NOPE:-default}",
    ]);
  });

  test.each([
    ["/srv/${A", "a ${ without its }"],
    ["/srv/${A B}", "${A B} is not the name of a variable"],
    ["/srv/${}", "${} is not the name of a variable"],
  ])("%s is an error", async (folder, message) => {
    expect(await problemsOf(SHORTEST.replace("/srv/ark", `"${folder}"`))).toEqual([
      expect.stringContaining(`4:13 servers[0].folder: ${message}`),
    ]);
  });

  test("on Windows their names do not differ by letter case", async () => {
    const text = SHORTEST.replace("/srv/ark", "${ProgramFiles}\\Ark");
    expect((await load(text, { platform: "win32", env: { PROGRAMFILES: "C:\\Programs" } })).servers[0]?.folder).toBe("C:\\Programs\\Ark");
  });
});

describe("secrets", () => {
  test("are read from a file without its last line break, and shown nowhere", async () => {
    const folder = await temporaryFolder();
    const file = path.join(folder, "password");
    await writeFile(file, "hunter2\n\n", { mode: 0o600 });
    const config = await load(`${SHORTEST}    query: {password_file: ${file}}\n`, { folder });
    const password = config.servers[0]?.query?.password;
    expect(password).toBeInstanceOf(Secret);
    expect(password?.reveal()).toBe("hunter2\n");
    expect(JSON.stringify(config)).not.toContain("hunter2");
    expect(config.notices).toEqual([]);
  });

  test("a file that everybody can read is worth a warning on Linux, but not on Windows", async () => {
    const folder = await temporaryFolder();
    const file = path.join(folder, "password");
    await writeFile(file, "hunter2");
    await chmod(file, 0o644);
    const text = `${SHORTEST}    query: {password_file: ${file}}\n`;
    expect((await load(text, { folder })).notices).toEqual([
      `Everybody on this host can read ${file}, which holds a password. Run: chmod 600 ${file}`,
    ]);
  });

  test("a file that is missing, empty or large is an error with its place", async () => {
    const folder = await temporaryFolder();
    await writeFile(path.join(folder, "empty"), "\n");
    await writeFile(path.join(folder, "large"), "x".repeat(5000));
    const problem = (name: string) => problemsOf(`${SHORTEST}    query: {password_file: ${folder}/${name}}\n`, { folder });
    expect(await problem("nothing")).toEqual([expect.stringMatching(/^7:28 servers\[0\]\.query\.password_file: cannot be read: ENOENT/)]);
    expect(await problem("empty")).toEqual([expect.stringMatching(/^7:28 .* is empty$/)]);
    expect(await problem("large")).toEqual([expect.stringMatching(/^7:28 .* is larger than 4096 bytes/)]);
  });

  test("password and password_file together are an error", async () => {
    expect(await problemsOf(`${SHORTEST}    query: {password: a, password_file: /x}\n`)).toContain(
      "7:12 servers[0].query: give password or password_file, not both",
    );
  });
});

describe("own profiles", () => {
  const own = (id: string) => `id: ${id}
name: Own game
sources: []
folder: {hint: The folder., unverified: true}
backup: {include: [{globs: ["save/**"], unverified: true}], exclude: []}
ports: {game: {port: 4000, protocol: udp, unverified: true}}
`;

  test("are used beside the shipped ones, and replace one of the same id with a notice", async () => {
    const folder = await temporaryFolder();
    await writeFile(path.join(folder, "own-game.yaml"), own("own-game"));
    await writeFile(path.join(folder, "ark.yml"), own("ark"));
    await writeFile(path.join(folder, "notes.txt"), "no profile");
    const config = await load(
      `profiles: ${folder}\n${SHORTEST}  - {id: own, game: own-game, folder: /srv/own, ports: {game: 1}, backup: {store: {type: r2}}}\n`.replace(
        "/srv/ark",
        "/srv/other",
      ),
    );
    expect(config.servers.map((it) => [it.profile.name, it.ports, it.process, it.query])).toEqual([
      ["Own game", { game: 4000 }, undefined, undefined],
      ["Own game", { game: 1 }, undefined, undefined],
    ]);
    expect(config.notices).toEqual([`The profile "ark" of ${folder} is used in place of the one that comes with ReconSync.`]);
  });

  test("are errors with their own file and line when they are wrong, and their game is not called unknown too", async () => {
    const folder = await temporaryFolder();
    await writeFile(
      path.join(folder, "bad.yaml"),
      own("bad").replace("udp", "upd").replace("sources: []", "sources: [{key: gone, text: x}]"),
    );
    await writeFile(path.join(folder, "other.yaml"), own("third"));
    const error = await load(`profiles: ${folder}\n${SHORTEST.replace("game: ark", "game: bad")}`).catch((it: unknown) => it);
    expect(
      error instanceof ConfigError &&
        error.problems.map((it) => `${path.basename(it.file)}:${it.line}:${it.column} ${it.path}: ${it.message}`),
    ).toEqual([
      'bad.yaml:6:38 ports.game.protocol: use tcp or udp. Did you mean "udp"?',
      'other.yaml:1:5 id: the file of the profile "third" must be called third.yaml',
    ]);
  });

  test("need a folder that is there", async () => {
    expect(await problemsOf(`profiles: /nowhere/at/all\n${SHORTEST}`)).toEqual([
      expect.stringMatching(/^1:11 profiles: the folder of profiles cannot be read: ENOENT/),
    ]);
    expect(await problemsOf(`profiles: games\n${SHORTEST}`)).toEqual([expect.stringMatching(/^1:11 profiles: must be an absolute path/)]);
  });
});

test("config.example.yaml is valid", async () => {
  const example = path.resolve(import.meta.dirname, "../../config.example.yaml");
  const linux = await loadConfig(example, { env: {}, profilesFolder, platform: "linux" });
  expect(linux.servers.map((it) => [it.id, it.folder])).toEqual([
    ["survival", "/srv/minecraft"],
    ["island", "/srv/ark"],
  ]);
});
