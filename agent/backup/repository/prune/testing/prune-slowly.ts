import { setTimeout as pause } from "node:timers/promises";
import { Repository } from "../../repository.ts";
import { LocalStore } from "../../stores/local.ts";
import { prune } from "../run.ts";

/** A process that prunes a repository, says each change before it makes it, and is slow enough to be killed there. */

const PAUSE_MS = 30;
const [path = "", password = ""] = process.argv.slice(2);

class SlowStore extends LocalStore {
  override async write(...args: Parameters<LocalStore["write"]>): Promise<void> {
    await this.#say(`write ${args[0]}`);
    await super.write(...args);
  }

  override async remove(...args: Parameters<LocalStore["remove"]>): Promise<void> {
    await this.#say(`remove ${args[0]}`);
    await super.remove(...args);
  }

  async #say(what: string): Promise<void> {
    process.stdout.write(`${what}\n`);
    await pause(PAUSE_MS);
  }
}

const repository = await Repository.open(new SlowStore(path), Buffer.from(password));
await prune(repository, { signal: new AbortController().signal, threads: 1, maxUnusedShare: 0 });
