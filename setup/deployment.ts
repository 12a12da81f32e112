import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RESTPutAPIApplicationCommandsJSONBody } from "discord-api-types/v10";
import * as z from "zod";
import { AgentError, EXIT } from "../agent/errors.ts";

/** `dist/deployment.json`: what scripts/build.ts leaves for a machine without the sources. */
const deploymentFile = z.object({
  /** The exact version of wrangler that this was built with. */
  wrangler: z.string().regex(/^\d+\.\d+\.\d+$/),
  /** wrangler.toml, as an object. */
  config: z.looseObject({
    name: z.string(),
    vars: z.looseObject({ DISCORD_API_URL: z.string() }),
    r2_buckets: z.array(z.looseObject({ binding: z.string(), bucket_name: z.string() })).min(1),
  }),
  /** The body of `PUT /applications/{id}/commands`. */
  commands: z.array(z.looseObject({ name: z.string() })).min(1),
});
export type DeploymentFile = z.infer<typeof deploymentFile>;

export interface Deployment extends Omit<DeploymentFile, "commands"> {
  commands: RESTPutAPIApplicationCommandsJSONBody;
  /** The Worker, bundled. */
  script: string;
}

/** What a person decides about a deployment; secrets are not among it. */
export interface Choices {
  applicationId: string;
  publicKey: string;
  apiUrl: string;
  /** Of the Worker. */
  name: string;
  bucket: string;
  accountId: string | undefined;
}

const remembered = z.object({
  name: z.string(),
  account_id: z.string().optional(),
  vars: z.object({ DISCORD_APPLICATION_ID: z.string(), DISCORD_PUBLIC_KEY: z.string() }),
  r2_buckets: z.array(z.object({ bucket_name: z.string() })),
});

/** @throws AgentError `package-incomplete` */
export async function readDeployment(packageFolder: string): Promise<Deployment> {
  const file = join(packageFolder, "dist/deployment.json");
  try {
    const { commands, ...rest } = deploymentFile.parse(JSON.parse(await readFile(file, "utf8")));
    const body = commands as unknown as RESTPutAPIApplicationCommandsJSONBody;
    return { ...rest, commands: body, script: join(packageFolder, "dist/worker/index.js") };
  } catch (cause) {
    const text = `${file} is missing or broken. In a clone, run: npm run setup. Otherwise install the package again.`;
    throw new AgentError("package-incomplete", text, { cause, exitCode: EXIT.unavailable });
  }
}

/** The config that wrangler deploys with: that of the sources, with a person's choices and the bundled Worker. */
export function deploymentConfig({ config, script }: Pick<Deployment, "config" | "script">, choices: Choices): Record<string, unknown> {
  const { applicationId, publicKey, apiUrl, name, bucket, accountId } = choices;
  return {
    ...config,
    name,
    ...(accountId === undefined ? {} : { account_id: accountId }),
    main: script,
    no_bundle: true,
    vars: { ...config.vars, DISCORD_APPLICATION_ID: applicationId, DISCORD_PUBLIC_KEY: publicKey, DISCORD_API_URL: apiUrl },
    r2_buckets: config.r2_buckets.map((one) => ({ ...one, bucket_name: bucket })),
  };
}

/** What an earlier run decided, so that nobody has to type it twice. @throws AgentError `setup-file-invalid` */
export async function readChoices(file: string): Promise<Partial<Choices>> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw error;
  }
  try {
    const { name, account_id: accountId, vars, r2_buckets: buckets } = remembered.parse(JSON.parse(text));
    const { DISCORD_APPLICATION_ID: applicationId, DISCORD_PUBLIC_KEY: publicKey } = vars;
    return { name, accountId, applicationId, publicKey, bucket: buckets[0]?.bucket_name };
  } catch (cause) {
    const words = `${file} is not a file that this command wrote. Move it away, or name another place with --file.`;
    throw new AgentError("setup-file-invalid", words, { cause, exitCode: EXIT.badConfig });
  }
}

/** Whether the file changed. */
export async function writeConfig(file: string, config: Record<string, unknown>): Promise<boolean> {
  const text = `${JSON.stringify(config, undefined, 2)}\n`;
  const before = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (before === text) return false;
  await writeFile(file, text);
  return true;
}
