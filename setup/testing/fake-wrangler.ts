import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** What the stand-in for Cloudflare knows. It changes as calls do. */
export interface Account {
  loggedIn: boolean;
  accounts: { id: string; name: string }[];
  buckets: string[];
  workers: string[];
  secrets: string[];
  targets: string[];
  /** A command that fails, such as `secret list`, with what it prints. */
  fail: Record<string, string>;
}

export interface Call {
  argv: string[];
  stdin: string;
  /** Whether the bot's token was in its environment. */
  sawToken: boolean;
}

/** The program, as a script that needs nothing but Node. It answers in wrangler's own words, which real-wrangler.test.ts keeps true. */
const PROGRAM = `
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
const [calls, state] = [process.env.FAKE_CALLS, process.env.FAKE_STATE];
const argv = process.argv.slice(2);
const stdin = readFileSync(0, "utf8");
appendFileSync(calls, JSON.stringify({ argv, stdin, sawToken: process.env.RECONSYNC_BOT_TOKEN !== undefined }) + "\\n");
const account = JSON.parse(readFileSync(state, "utf8"));
const [, , ...rest] = argv;
const words = rest.filter((one) => !one.startsWith("-"));
const end = (code, text) => {
  writeFileSync(state, JSON.stringify(account));
  console.log(text);
  process.exit(code);
};
const failure = Object.entries(account.fail).find(([command]) => rest.join(" ").startsWith(command));
if (failure) end(1, failure[1]);
const refused = (code, text) => end(1, "✘ [ERROR] A request to the Cloudflare API failed.\\n\\n  " + text + " [code: " + code + "]\\n");
const name = () => JSON.parse(readFileSync(rest[rest.indexOf("--config") + 1], "utf8")).name;
if (words[0] === "whoami") end(account.loggedIn ? 0 : 1, JSON.stringify(account.loggedIn ? { loggedIn: true, accounts: account.accounts } : { loggedIn: false }));
if (words[0] === "r2") {
  if (account.buckets.includes(words[3])) refused(10004, "The bucket you tried to create already exists, and you own it.");
  account.buckets.push(words[3]);
  end(0, "Creating bucket");
}
if (words[0] === "deploy") {
  if (rest.includes("--dry-run")) end(0, "--dry-run: exiting now.");
  account.workers.push(name());
  appendFileSync(process.env.WRANGLER_OUTPUT_FILE_PATH, JSON.stringify({ type: "wrangler-session", version: 1 }) + "\\n" + JSON.stringify({ type: "deploy", version: 1, targets: account.targets }) + "\\n");
  end(0, "Uploaded");
}
if (words[1] === "list") {
  if (!account.workers.includes(name())) end(1, 'X [ERROR] Worker "' + name() + '" not found.\\n');
  end(0, JSON.stringify(account.secrets.map((one) => ({ name: one, type: "secret_text" }))));
}
if (words[1] === "put") {
  account.secrets = [...new Set([...account.secrets, words[2]])];
  end(0, "Success");
}
end(64, "the stand-in does not know: " + rest.join(" "));
`;

/** A stand-in for `npx wrangler@VERSION` that writes down what it was given. */
export class FakeWrangler {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async install(folder: string, account: Partial<Account> = {}): Promise<FakeWrangler> {
    const bin = join(folder, "bin");
    await mkdir(bin, { recursive: true });
    await writeFile(join(bin, "wrangler.mjs"), PROGRAM);
    await writeFile(join(bin, "npx"), `#!/bin/sh\nexec '${process.execPath}' '${join(bin, "wrangler.mjs")}' "$@"\n`);
    await chmod(join(bin, "npx"), 0o755);
    const fake = new FakeWrangler(folder);
    await fake.set({
      loggedIn: true,
      accounts: [{ id: "a".repeat(32), name: "Basement" }],
      buckets: [],
      workers: [],
      secrets: [],
      targets: [],
      fail: {},
      ...account,
    });
    return fake;
  }

  get env(): NodeJS.ProcessEnv {
    const path = `${join(this.#folder, "bin")}${delimiter}${process.env.PATH ?? ""}`;
    return { PATH: path, FAKE_CALLS: join(this.#folder, "calls.ndjson"), FAKE_STATE: join(this.#folder, "account.json") };
  }

  async account(): Promise<Account> {
    return JSON.parse(await readFile(join(this.#folder, "account.json"), "utf8"));
  }

  async set(account: Partial<Account>): Promise<void> {
    const file = join(this.#folder, "account.json");
    const before = await readFile(file, "utf8").catch(() => "{}");
    await writeFile(file, JSON.stringify({ ...JSON.parse(before), ...account }));
  }

  async calls(): Promise<Call[]> {
    const text = await readFile(join(this.#folder, "calls.ndjson"), "utf8").catch(() => "");
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Call);
  }

  /** The calls as command lines, without npx's part and without where the config lies. */
  async commands(): Promise<string[]> {
    return (await this.calls()).map(({ argv }) =>
      argv
        .slice(2)
        .join(" ")
        .replace(/ --config \S+/, ""),
    );
  }
}
