// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in texts are what is tested.
import { mkdir, symlink } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { loadConfig } from "./load-config.ts";
import { temporaryFolder } from "./testing/fixtures.ts";
import { load, problemsOf, profilesFolder, SHORTEST } from "./testing/load.ts";
import { YAML_BYTES_MAX } from "./yaml-source.ts";

describe("what is wrong", () => {
  test("is told all at once, each with its line and column", async () => {
    const text = `sevrers: 1
log: {levl: info, format: jsn}
servers:
  - id: Island
    game: minecraft
    folder: tmp
    query: {tpe: x, type: foo}
    backup: {store: {type: s3}, compression: 12}
  - id: b
    game: ark
    query: 5
    folder: /tmp/\${NOPE}
    backup: {store: {folder: /x}, retention: {keep_last: 0}}
    process: {}
  - id: c
`;
    expect(await problemsOf(text)).toEqual([
      '1:1 sevrers: no such key. Did you mean "servers"?',
      '2:7 log.levl: no such key. Did you mean "level"?',
      '2:27 log.format: use auto, human or json. Did you mean "json"?',
      "4:9 servers[0].id: use 1 to 32 of a-z, 0-9 and -, not starting or ending with -",
      '5:11 servers[0].game: no profile is called "minecraft". Did you mean "minecraft-java"? There are: 7dtd, ark, ark-ascended, factorio, minecraft-bedrock, minecraft-java, openttd, rust, valheim',
      "6:13 servers[0].folder: must be an absolute path, such as /srv/island.",
      '7:13 servers[0].query.tpe: no such key. Did you mean "type"?',
      "8:28 servers[0].backup.store.type: use local, r2 or url.",
      "8:46 servers[0].backup.compression: must be at most 9",
      "11:12 servers[1].query: does not fit: got a number",
      "12:13 servers[1].folder: the environment variable NOPE is not set. Set it for the agent, or give a default: ${NOPE:-default}",
      "13:21 servers[1].backup.store.type: is missing. Use local, r2 or url",
      "13:58 servers[1].backup.retention.keep_last: must be at least 1",
      "14:14 servers[1].process: give pid_file, or name, or both",
      "15:5 servers[2].game: is missing",
      "15:5 servers[2].folder: is missing",
      "15:5 servers[2].backup: is missing",
    ]);
  });

  test("two servers with one id", async () => {
    const text = `servers:
  - {id: a, game: ark, folder: /srv/a, backup: {store: {type: r2}}}
  - {id: a, game: ark, folder: /srv/b, backup: {store: {type: r2}}}
`;
    expect(await problemsOf(text)).toEqual(['3:10 servers[1].id: "a" is the id of servers[0] already. Give each server its own']);
  });

  test("two servers with one folder, also when it is written in another way or reached by a link", async () => {
    const folder = await temporaryFolder();
    await mkdir(path.join(folder, "world"));
    await symlink(path.join(folder, "world"), path.join(folder, "link"));
    const text = (second: string) => `servers:
  - {id: a, game: ark, folder: "${folder}/world", backup: {store: {type: r2}}}
  - {id: b, game: ark, folder: "${second}", backup: {store: {type: r2}}}
`;
    const problem = ["3:32 servers[1].folder: is the folder of servers[0] too. Each server needs its own"];
    expect(await problemsOf(text(`${folder}/x/../world/`), { folder })).toEqual(problem);
    expect(await problemsOf(text(`${folder}/link`), { folder })).toEqual(problem);
    expect(await load(text(`${folder}/World`), { folder })).toBeDefined();
  });

  test("on Windows folders do not differ by letter case", async () => {
    const text = `servers:
  - {id: a, game: ark, folder: 'C:\\Ark', backup: {store: {type: r2}}}
  - {id: b, game: ark, folder: 'c:/ark/', backup: {store: {type: r2}}}
`;
    expect(await problemsOf(text, { platform: "win32" })).toEqual([
      expect.stringContaining("3:32 servers[1].folder: is the folder of servers[0] too"),
    ]);
  });

  test.each([
    ["/srv/ark", "is the server's own folder"],
    ["/srv/ark/", "is the server's own folder"],
    ["/srv", "holds the server's folder"],
    ["/", "holds the server's folder"],
  ])("a local store at %s for the folder /srv/ark", async (folder, message) => {
    expect(await problemsOf(SHORTEST.replace("{type: r2}", `{type: local, folder: ${folder}}`))).toEqual([
      expect.stringContaining(`6:36 servers[0].backup.store.folder: ${message}`),
    ]);
  });

  test.each(["/srv/ark", "/srv/ark/drills", "drills"])("a scratch folder at %s for the folder /srv/ark", async (scratch) => {
    expect(await problemsOf(`${SHORTEST}    verify: {scratch: ${scratch}}\n`)).toEqual([
      expect.stringMatching(/servers\[0\]\.verify\.scratch: must (?:lie apart from the server's folder|be an absolute path)/),
    ]);
    await expect(load(`${SHORTEST}    verify: {scratch: /srv}\n`)).resolves.toMatchObject({ servers: [{ verify: { scratch: "/srv" } }] });
  });

  test.each([
    ["/srv/ark", "is the server's own folder"],
    ["/", "holds the server's folder"],
  ])("a local mirror at %s for the folder /srv/ark", async (folder, message) => {
    expect(await problemsOf(`${SHORTEST}      mirror: {type: local, folder: ${folder}}\n`)).toEqual([
      expect.stringContaining(`servers[0].backup.mirror.folder: ${message}`),
    ]);
  });

  test.each([
    ["{type: url, url: 's3:https://s3.example.org'}", 'url: "s3:…" is no place for a repository'],
    ["{type: url, url: 'b2:bucket'}", "url: an address that begins with s3:, sftp:, rest: or dropbox:"],
    ["{type: url, url: 'rest:https://me:secret@host/x'}", "url: holds a password, which would be shown"],
    ["{type: url, url: 'sftp:me@nas:/x', credentials: {lower: x}}", "credentials"],
  ])("a store that is %s", async (store, message) => {
    const problems = await problemsOf(SHORTEST.replace("{type: r2}", store));
    expect(problems).toEqual([expect.stringContaining(`servers[0].backup.store.${message}`)]);
  });

  test.each([
    ["format: zip\n      mirror: {type: local, folder: /mnt/usb}", "mirror: is for format: repository only"],
    ["format: zip\n      bandwidth: {upload: 500}", "bandwidth: is for format: repository only"],
    ["mirror: {type: r2}", "mirror: is the same place as store"],
    ["compression: 6", "compression: a repository is compressed at level 1 or 3"],
    ["bandwidth: {upload: 1}", "bandwidth.upload: must be at least 16"],
  ])("what does not go together: %s", async (more, message) => {
    expect(await problemsOf(`${SHORTEST}      ${more}\n`)).toEqual([expect.stringContaining(`servers[0].backup.${message}`)]);
  });

  test("a zip archive that is to go to an address", async () => {
    const text = `${SHORTEST.replace("{type: r2}", "{type: url, url: 'sftp:me@nas:/x'}")}      format: zip\n`;
    expect(await problemsOf(text)).toEqual([expect.stringContaining("servers[0].backup.store.type: zip archives go to a folder")]);
  });

  test("a store inside or beside the server's folder is fine", async () => {
    for (const folder of ["/srv/ark/backups", "/srv/ark-backups"]) {
      expect((await load(SHORTEST.replace("{type: r2}", `{type: local, folder: ${folder}}`))).servers[0]?.backup.store).toEqual({
        type: "local",
        folder,
      });
    }
  });

  test.each([
    ["linux", "srv/ark", "must be an absolute path, such as /srv/island."],
    ["linux", "~/ark", "must be an absolute path, such as /srv/island. ~ is not expanded; ${HOME} is."],
    ["linux", "C:\\ark", "must be an absolute path, such as /srv/island."],
    ["win32", "/srv/ark", "must be an absolute path, such as C:\\games\\island."],
    ["win32", "C:ark", "must be an absolute path, such as C:\\games\\island."],
  ] as const)("on %s the folder %s", async (platform, folder, message) => {
    expect(await problemsOf(SHORTEST.replace("/srv/ark", folder), { platform })).toEqual([`4:13 servers[0].folder: ${message}`]);
  });

  test("profile_globs: false without includes", async () => {
    expect(await problemsOf(`${SHORTEST.trimEnd()}\n      profile_globs: false\n`)).toEqual([
      "7:22 servers[0].backup.profile_globs: is false, so backup.include must say what to back up",
    ]);
  });

  test.each(["../x", "/x", "C:/x", "!x", "a\\b"])("the glob %s", async (glob) => {
    expect(await problemsOf(`${SHORTEST.trimEnd()}\n      include: ['${glob}']\n`)).toEqual([
      expect.stringContaining("7:17 servers[0].backup.include[0]: "),
    ]);
  });

  test("a query type that gamedig does not know", async () => {
    expect(await problemsOf(`${SHORTEST}    query: {type: arkk}\n`)).toEqual(['7:19 servers[0].query.type: gamedig knows no type "arkk"']);
    expect(await problemsOf(`${SHORTEST}    query: {type: protocol-constructor}\n`)).toEqual([
      expect.stringContaining("gamedig knows no type"),
    ]);
  });

  test("a query without a type for a game that has none", async () => {
    expect(await problemsOf(`${SHORTEST.replace("game: ark", "game: factorio")}    query: {password: x}\n`)).toEqual([
      '7:12 servers[0].query: the profile "factorio" does not say how to ask Factorio. Give query.type, or query: false',
    ]);
  });

  test("a query port beyond the last one", async () => {
    const text = `${SHORTEST.replace("game: ark", "game: valheim")}    ports: {game: 65535}\n`;
    expect(await problemsOf(text)).toEqual([expect.stringContaining("7:12 servers[0].ports: the query port would be 65536")]);
  });

  test("no server at all", async () => {
    expect(await problemsOf("servers: []\n")).toEqual(["1:10 servers: needs at least 1 entry"]);
    expect(await problemsOf("log: {}\n")).toEqual(["1:1 servers: is missing"]);
  });
});

describe("what is no config", () => {
  test.each([
    ["an empty file", "", /^1:1 : expected keys with values, got nothing$/],
    ["a list", "- a\n", /^1:1 : expected keys with values, got a list$/],
    ["a key written twice", "log: {}\nlog: {}\n", /^2:1 : Map keys must be unique/],
    ["an own tag", `${SHORTEST}state: !!js/function "x"\n`, /^7:8 : Unresolved tag/],
    ["two documents", `${SHORTEST}---\n${SHORTEST}`, /^7:1 : Source contains multiple documents/],
    ["a merge key", `x: &x {level: info}\nlog: {<<: *x}\n${SHORTEST}`, /^1:1 x: no such key/],
    ["broken YAML", "servers: [\n", /^2:1 : /],
    ["lists nested too deeply", "[".repeat(20_000), /^1:\d+ : (?:cannot be read as YAML: )?is nested too deeply$/],
    [
      "an alias bomb",
      `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c]\n`,
      /^1:1 : cannot be read as YAML: Excessive alias count/,
    ],
  ])("%s", async (_what, text, expected) => {
    const [first] = await problemsOf(text);
    expect(first).toMatch(expected);
  });

  test("a file that is too large is not read", async () => {
    expect(await problemsOf(`# ${"x".repeat(YAML_BYTES_MAX)}`)).toEqual(["1:1 : is larger than 1024 KiB. Is it the right file?"]);
  });

  test("a file that is no UTF-8", async () => {
    expect(await problemsOf(Uint8Array.of(0x6c, 0xff, 0xfe))).toEqual(["1:1 : is not UTF-8 text. Save it as UTF-8"]);
  });

  test("a file that is not there, or is a folder", async () => {
    const folder = await temporaryFolder();
    const load = (file: string) => loadConfig(file, { env: {}, profilesFolder });
    await expect(load(path.join(folder, "none.yaml"))).rejects.toThrow(/none\.yaml:1:1: cannot be read: ENOENT/);
    await expect(load(folder)).rejects.toThrow(/:1:1: cannot be read: EISDIR/);
  });

  test("the message names every problem as file:line:column", async () => {
    const folder = await temporaryFolder();
    await expect(load("a: 1\nb: 2\n", { folder })).rejects.toThrow(
      [
        "The config cannot be used: 3 problems.",
        `  ${folder}/config.yaml:1:1: servers: is missing`,
        `  ${folder}/config.yaml:1:1: a: no such key.`,
        `  ${folder}/config.yaml:2:1: b: no such key.`,
      ].join("\n"),
    );
  });

  test("at most 100 problems are named", async () => {
    expect(await problemsOf(Array.from({ length: 500 }, (_, index) => `key${index}: 1\n`).join(""))).toHaveLength(100);
  });
});
