import { readFile } from "node:fs/promises";
import path from "node:path";
import * as z from "zod";
import { configFile } from "../schemas/config.ts";
import * as protocol from "../schemas/index.ts";
import { manifestLine } from "../schemas/manifest.ts";
import { gameProfile } from "../schemas/profile.ts";
import { configReference } from "./config-reference.ts";

/** The top of the project. */
export const ROOT = path.resolve(import.meta.dirname, "..");

export type JsonObject = { [key: string]: unknown };

/** Every file that is made from the schemas, by its path in the project. */
export function generatedFiles(): Map<string, string> {
  const config = schemaOf(configFile, "ReconSync: config.yaml", "What the agent on a game host works on.");
  const profile = schemaOf(gameProfile, "ReconSync: game profile", "What ReconSync knows of a game: games/ID.yaml.");
  const manifest = schemaOf(
    manifestLine,
    "ReconSync: line of a manifest",
    "A manifest lies beside each archive as gzipped JSON lines: a header, one line an entry, a footer.",
  );
  return new Map([
    ["schemas/json/config.schema.json", print(config)],
    ["schemas/json/profile.schema.json", print(profile)],
    ["schemas/json/manifest.schema.json", print(manifest)],
    ["schemas/json/protocol.schema.json", print(protocolSchema())],
    ["docs/user/config.md", configReference(config)],
  ]);
}

/** Paths of generated files that are not there, or are not what they would be now. */
export async function staleFiles(root = ROOT): Promise<string[]> {
  const stale: string[] = [];
  for (const [file, content] of generatedFiles()) {
    const there = await readFile(path.join(root, file), "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    // A checkout on Windows may have other line ends.
    if (there?.replaceAll("\r\n", "\n") !== content) stale.push(file);
  }
  return stale;
}

/** As files are written: what has a default may be left out. */
function schemaOf(schema: z.ZodType, title: string, description: string): JsonObject {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: "input" });
  return { $schema, title, ...rest, description: rest.description ?? description };
}

/** All messages between agent and Worker in one file, each under `$defs`. A reader ignores keys it does not know. */
function protocolSchema(): JsonObject {
  const { pollRequest, pollResponse, enrollRequest, enrollResponse, tokenResponse, progressRequest, progressResponse } = protocol;
  const { resultRequest, report, problem, beginUploadRequest, beginUploadResponse, completeUploadRequest, completeUploadResponse } =
    protocol;
  const { serverStatus, hostLoad, job, backupResult, progress, outcome, heartbeat, announcedServer } = protocol;
  const { announcedSchedule, scheduledRun, runOutcome, rotateRequest, rotateResponse, archiveList } = protocol;
  const messages = { pollRequest, pollResponse, enrollRequest, enrollResponse, tokenResponse, progressRequest, progressResponse };
  const more = { resultRequest, report, problem, beginUploadRequest, beginUploadResponse, completeUploadRequest, completeUploadResponse };
  const parts = { serverStatus, hostLoad, job, backupResult, progress, outcome, heartbeat, announcedServer };
  const later = { announcedSchedule, scheduledRun, runOutcome, rotateRequest, rotateResponse, archiveList };
  const registry = z.registry<{ id: string }>();
  for (const [name, schema] of Object.entries({ ...messages, ...more, ...parts, ...later })) registry.add(schema, { id: typeName(name) });
  const { schemas } = z.toJSONSchema(registry, { io: "input", uri: (id) => `#/$defs/${id}` });
  const definitions = Object.entries(schemas).map(([name, { $schema, $id, ...schema }]) => [name, schema] as const);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "ReconSync: messages between agent and Worker",
    description: `Protocol version ${protocol.PROTOCOL_VERSION}. docs/dev/protocol.md says when each is sent.`,
    $defs: Object.fromEntries(definitions.toSorted(([a], [b]) => (a < b ? -1 : 1))),
  };
}

const typeName = (name: string) => `${name[0]?.toUpperCase()}${name.slice(1)}`;

const print = (schema: JsonObject) => `${JSON.stringify(schema, undefined, 2)}\n`;
