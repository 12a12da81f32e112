import * as z from "zod";
import { GLOB_LENGTH_MAX, GLOB_RULES } from "./globs.ts";
import { CONSOLE_DIALECTS, commandStep, logStep, STEPS_MAX } from "./hold.ts";
import { gameCheckKind } from "./verification.ts";

/**
 * A game profile, `games/ID.yaml`: what ReconSync knows of a game, as data. Every fact names where it comes from (`sources`), or says
 * that nobody has checked it (`unverified`). Objects are strict; later sections are added beside these as optional ones.
 */

/** The same alphabet as a server id: it stands in file names and commands. */
export const GAME_ID_PATTERN = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/;
const SOURCE_KEY_PATTERN = /^[a-z0-9](?:[a-z0-9:-]{0,30}[a-z0-9])?$/;

const line = (max: number) => z.string().min(1).max(max);

export const portNumber = z.int().min(1).max(65_535);

/** A glob, matched against the path of a file relative to the server's folder, `/` as separator on every platform. */
export const glob = GLOB_RULES.reduce((text, [pattern, words]) => text.regex(pattern, words), z.string().min(1).max(GLOB_LENGTH_MAX));

const source = z
  .strictObject({
    key: z.string().regex(SOURCE_KEY_PATTERN, "use a-z, 0-9, : and -").describe("Short name by which facts refer to it."),
    url: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe("Address of the source."),
    text: line(500).optional().describe("What it is, or where in it the fact stands, when an address alone does not tell."),
  })
  .refine((it) => it.url !== undefined || it.text !== undefined, "give a url or a text")
  .describe("Where facts come from.");

/** Stands in every fact. */
const origin = {
  sources: z.array(z.string().regex(SOURCE_KEY_PATTERN)).min(1).optional().describe("Keys of the sources that say so."),
  unverified: z
    .literal(true)
    .optional()
    .describe("True when no source says so, or only a part of it: to be checked before it is relied on."),
  note: line(400).optional().describe("What a reader should know about this fact."),
};

const globs = z.array(
  z
    .strictObject({
      globs: z.array(glob).min(1).max(50).describe("Globs relative to the server's folder. `**` crosses folders."),
      ...origin,
    })
    .describe("Globs that share their sources."),
);

const port = {
  port: portNumber.describe("Default number."),
  protocol: z.enum(["tcp", "udp"]).describe("Transport by which the agent looks whether the port is open."),
  ...origin,
};

const processName = z
  .strictObject({
    name: z
      .string()
      .regex(/^[^/\\]{1,100}$/, "a file name, without folders")
      .describe("Exact name of the program."),
    generic: z
      .literal(true)
      .optional()
      .describe("True when other programs have this name too (`java`): then a process counts only if it runs in the server's folder."),
    ...origin,
  })
  .describe("How the server's process is called.");

const holdSteps = z
  .array(z.union([z.strictObject({ ...commandStep, ...origin }), z.strictObject({ ...logStep, ...origin })]))
  .max(STEPS_MAX);

export const gameProfile = z
  .strictObject({
    id: z
      .string()
      .regex(GAME_ID_PATTERN, "use 1 to 32 of a-z, 0-9 and -, not starting or ending with -")
      .describe("What `game` in config.yaml says. The file has the same name."),
    name: line(100).describe("Name of the game for people."),
    sources: z.array(source).max(100).describe("Everything the facts below rest on."),
    folder: z
      .strictObject({
        hint: line(500).describe("In words: which folder `folder` in config.yaml should point at."),
        linux: line(200).optional().describe("Where it usually is on Linux. For documentation and messages only."),
        windows: line(200).optional().describe("Where it usually is on Windows. For documentation and messages only."),
        ...origin,
      })
      .describe("The folder that holds what is worth keeping."),
    backup: z
      .strictObject({
        include: globs.min(1).describe("What is backed up."),
        exclude: globs.describe("What is left out of it. Exclude wins over include."),
      })
      .describe("What is backed up, as globs relative to the server's folder."),
    ports: z
      .strictObject({
        game: z.strictObject(port).describe("The port that players connect to."),
        query: z
          .strictObject({
            ...port,
            port: portNumber.optional().describe("Default number, when it does not follow the game port."),
            offset: z.int().min(-1000).max(30_000).optional().describe("Distance from the game port, when it follows that."),
          })
          .refine((it) => (it.port === undefined) !== (it.offset === undefined), "give either port or offset")
          .optional()
          .describe("The port that answers queries, when there is one."),
      })
      .describe("Default ports."),
    process: z
      .strictObject({ linux: processName.optional(), windows: processName.optional() })
      .optional()
      .describe("The server's process on each platform."),
    players: z
      .array(
        z
          .strictObject({
            globs: z
              .array(glob)
              .min(1)
              .max(20)
              .refine((all) => all.every((one) => one.includes("{player}")), "each needs {player} in it")
              .describe("Globs relative to the server's folder. `{player}` stands for how the game's files name a player."),
            ...origin,
          })
          .describe("Globs that share their sources."),
      )
      .max(10)
      .optional()
      .describe("Which files are a single player's own, so that one player can be restored alone."),
    query: z
      .strictObject({
        type: z
          .string()
          .regex(/^[a-z0-9-]{2,60}$/)
          .describe("Type of the game in gamedig, or `protocol-NAME`. Never one that asks a service on the Internet."),
        ...origin,
      })
      .optional()
      .describe("How to ask the server for its players. Left out when the game cannot be asked on its own host."),
    console: z
      .strictObject({
        dialect: z.enum(CONSOLE_DIALECTS).describe("How its console is spoken to over the network."),
        port: portNumber.optional().describe("Default port, when the game has one."),
        ...origin,
      })
      .optional()
      .describe("The console that the server opens on the network. Left out when it has none that ReconSync speaks."),
    hold: z
      .strictObject({
        before: holdSteps.min(1).describe("What makes the server write its world and hold further saves, in this order."),
        after: holdSteps.describe("What lets it save again after the copy, in this order. Empty when nothing was held."),
      })
      .optional()
      .describe("How saves are held around a backup. Left out when the game has no way."),
    checks: z
      .array(
        z
          .strictObject({
            globs: z
              .array(glob)
              .min(1)
              .max(50)
              .describe("Globs relative to the server's folder. The first entry that matches a file counts."),
            kind: z
              .enum([...gameCheckKind.options, "none"])
              .describe("What such a file must be: it is looked at after a restore drill. `none`: it is not looked at."),
            ...origin,
          })
          .describe("Files that share what is looked at."),
      )
      .max(50)
      .optional()
      .describe("What files of this game must be, beyond what their content and their endings tell."),
  })
  .superRefine((profile, context) => {
    const known = new Set(profile.sources.map((it) => it.key));
    if (known.size < profile.sources.length)
      context.addIssue({ code: "custom", path: ["sources"], message: "two sources have the same key" });
    const used = new Set<string>();
    for (const [path, fact] of facts(profile)) {
      for (const key of fact.sources ?? []) {
        used.add(key);
        if (!known.has(key)) context.addIssue({ code: "custom", path: [...path, "sources"], message: `no source has the key "${key}"` });
      }
      if (!fact.sources && !fact.unverified) context.addIssue({ code: "custom", path, message: "give sources, or say unverified: true" });
    }
    for (const [index, { key }] of profile.sources.entries()) {
      if (!used.has(key)) context.addIssue({ code: "custom", path: ["sources", index], message: `no fact uses the source "${key}"` });
    }
  });

export type GameProfile = z.infer<typeof gameProfile>;

/** What every fact in a profile carries. */
export interface Origin {
  sources?: string[] | undefined;
  unverified?: true | undefined;
  note?: string | undefined;
}
export type FactPath = (string | number)[];

/** Every fact of a profile with its path in the file. */
export function facts(
  profile: Pick<GameProfile, "folder" | "backup" | "ports" | "process" | "players" | "query" | "console" | "hold" | "checks">,
): [FactPath, Origin][] {
  const all: [FactPath, Origin | undefined][] = [
    [["folder"], profile.folder],
    ...profile.backup.include.map((it, index): [FactPath, Origin] => [["backup", "include", index], it]),
    ...profile.backup.exclude.map((it, index): [FactPath, Origin] => [["backup", "exclude", index], it]),
    [["ports", "game"], profile.ports.game],
    [["ports", "query"], profile.ports.query],
    [["process", "linux"], profile.process?.linux],
    [["process", "windows"], profile.process?.windows],
    ...(profile.players ?? []).map((it, index): [FactPath, Origin] => [["players", index], it]),
    [["query"], profile.query],
    [["console"], profile.console],
    ...(["before", "after"] as const).flatMap((list) =>
      (profile.hold?.[list] ?? []).map((it, index): [FactPath, Origin] => [["hold", list, index], it]),
    ),
    ...(profile.checks ?? []).map((it, index): [FactPath, Origin] => [["checks", index], it]),
  ];
  return all.filter((it): it is [FactPath, Origin] => it[1] !== undefined);
}
