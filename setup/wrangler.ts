import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import * as z from "zod";
import { AgentError, EXIT } from "../agent/errors.ts";
import { type Program, spawnArguments } from "./wrangler-command.ts";

/** Bound of one run of wrangler, in milliseconds. The first through npx downloads it, about 100 MB. */
const RUN_MAX_MS = 10 * 60_000;
/** How much of wrangler's output is kept, in characters: its end. */
const OUTPUT_MAX = 200_000;
/** How much of it an error shows, in characters. */
const OUTPUT_SHOWN = 2000;

/** Cloudflare's own codes, as wrangler shows them: "… [code: 10004]". */
const CODES = { bucketIsYours: 10004, r2IsOff: 10042, noSuchWorker: 10007 } as const;

const whoami = z.object({
  loggedIn: z.boolean(),
  email: z.string().optional(),
  accounts: z.array(z.object({ id: z.string(), name: z.string() })).optional(),
});
export type Account = NonNullable<z.infer<typeof whoami>["accounts"]>[number];

const secretList = z.array(z.object({ name: z.string() }));
const deployed = z.object({ type: z.literal("deploy"), targets: z.array(z.string()) });

export interface WranglerDeps {
  program: Program;
  /** Where it runs. Never a folder whose wrangler.toml it should not see: every call names its config besides. */
  folder: string;
  env: NodeJS.ProcessEnv;
}

interface Ended {
  code: number;
  out: string;
  err: string;
}

/** Cloudflare's program, run for one answer at a time. Secrets reach it through its standard input only. */
export class Wrangler {
  readonly #deps: WranglerDeps;

  constructor(deps: WranglerDeps) {
    this.#deps = deps;
  }

  /** Undefined when nobody is logged in. */
  async login(): Promise<{ email: string | undefined; accounts: Account[] } | undefined> {
    const { code, out, err } = await this.#run(["whoami", "--json"]);
    const answer = whoami.safeParse(jsonIn(out));
    if (!answer.success) throw failed("whoami", code, `${out}\n${err}`);
    const { loggedIn, email, accounts = [] } = answer.data;
    return loggedIn ? { email, accounts } : undefined;
  }

  /** Opens Cloudflare's page in a browser. Wrangler talks with the person itself. */
  async openLogin(): Promise<void> {
    const { code } = await this.#run(["login"], { inherit: true });
    if (code !== 0) throw failed("login", code, "");
  }

  /** Whether it was made now. A bucket of this account that is there already is as good. */
  async createBucket(name: string, config: string): Promise<boolean> {
    const { code, out, err } = await this.#run(["r2", "bucket", "create", name, "--config", config, "--update-config=false"]);
    if (code === 0) return true;
    const text = `${out}\n${err}`;
    if (hasCode(text, CODES.bucketIsYours)) return false;
    if (hasCode(text, CODES.r2IsOff)) {
      const words =
        "R2 is not switched on in this Cloudflare account. Open R2 object storage in Cloudflare's dashboard once, then run it again.";
      throw new AgentError("r2-off", words, { exitCode: EXIT.refused });
    }
    throw failed("r2 bucket create", code, text);
  }

  /** What the Worker answers at: addresses, routes and domains, in wrangler's words. */
  async deploy(config: string): Promise<string[]> {
    const report = join(tmpdir(), `reconsync-deploy-${randomBytes(8).toString("hex")}.ndjson`);
    try {
      const { code, out, err } = await this.#run(["deploy", "--config", config], { env: { WRANGLER_OUTPUT_FILE_PATH: report } });
      if (code !== 0) throw failed("deploy", code, `${out}\n${err}`);
      const lines = (await readFile(report, "utf8")).split("\n").map((line) => deployed.safeParse(jsonIn(line)));
      return lines.flatMap((line) => (line.success ? line.data.targets : []));
    } finally {
      await rm(report, { force: true });
    }
  }

  /** Reads the config and the Worker as a deployment would, and uploads nothing. */
  async tryDeploy(config: string, outFolder: string): Promise<void> {
    const { code, out, err } = await this.#run(["deploy", "--dry-run", "--config", config, "--outdir", outFolder]);
    if (code !== 0) throw failed("deploy --dry-run", code, `${out}\n${err}`);
  }

  /** Names of the Worker's secrets; undefined when there is no such Worker yet. Any other failure is one. */
  async secrets(config: string): Promise<string[] | undefined> {
    const { code, out, err } = await this.#run(["secret", "list", "--format", "json", "--config", config]);
    const text = `${out}\n${err}`;
    if (code !== 0 && (hasCode(text, CODES.noSuchWorker) || /Worker "[^"\n]+" not found/.test(text))) return undefined;
    const names = secretList.safeParse(jsonIn(out));
    if (code !== 0 || !names.success) throw failed("secret list", code, text);
    return names.data.map(({ name }) => name);
  }

  async putSecret(name: string, value: string, config: string): Promise<void> {
    const { code, out, err } = await this.#run(["secret", "put", name, "--config", config], { input: value });
    if (code !== 0) throw failed("secret put", code, `${out}\n${err}`.replaceAll(value, "«redacted»"));
  }

  async #run(args: string[], given: { input?: string; env?: NodeJS.ProcessEnv; inherit?: boolean } = {}): Promise<Ended> {
    const { program, folder } = this.#deps;
    const { file, args: all, verbatim } = spawnArguments(program, args);
    // Wrangler has no use for the bot's token but as a secret, and that goes another way.
    const env = { ...this.#deps.env, ...given.env, NO_COLOR: "1", WRANGLER_SEND_METRICS: "false", RECONSYNC_BOT_TOKEN: undefined };
    const { promise, resolve, reject } = Promise.withResolvers<Ended>();
    const child = spawn(file, all, {
      cwd: folder,
      env,
      stdio: given.inherit === true ? "inherit" : ["pipe", "pipe", "pipe"],
      windowsVerbatimArguments: verbatim,
      windowsHide: true,
      timeout: RUN_MAX_MS,
    });
    let [out, err] = ["", ""];
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      out = (out + chunk).slice(-OUTPUT_MAX);
    });
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      err = (err + chunk).slice(-OUTPUT_MAX);
    });
    // A program that ends before it has read its input says why by itself.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(given.input ?? "");
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code: code ?? -1, out, err: signal === null ? err : `${err}\nended by ${signal}` }));
    return promise.catch((cause: unknown) => {
      const text = `${file} cannot be started: ${cause instanceof Error ? cause.message : String(cause)}. Install Node.js with npm, then run it again.`;
      throw new AgentError("wrangler-missing", text, { cause, exitCode: EXIT.unavailable });
    });
  }
}

function failed(what: string, code: number, output: string): AgentError {
  const said = stripVTControlCharacters(output).trim().slice(-OUTPUT_SHOWN);
  return new AgentError("wrangler-failed", `wrangler ${what} ended with ${code}${said === "" ? "." : `:\n${said}`}`, {
    exitCode: EXIT.unavailable,
  });
}

const hasCode = (text: string, code: number) => text.includes(`[code: ${code}]`);

/** The JSON value that begins at the first line with a bracket; wrangler may print a notice before it. Undefined when there is none. */
function jsonIn(text: string): unknown {
  const start = text.search(/^[[{]/m);
  try {
    return start < 0 ? undefined : JSON.parse(text.slice(start));
  } catch {
    // Whoever asked says what is missing, with all that wrangler printed.
    return undefined;
  }
}
