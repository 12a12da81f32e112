import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { recoveryKey } from "../../../recovery/key-file.ts";
import { Repository } from "../repository.ts";
import { LocalStore } from "../stores/local.ts";
import { QUICK_KEY } from "./made-repository.ts";

/** The repository of a server, made before its first backup with the cheapest of keys: most of what tests do would be waiting for the password otherwise. */
export async function premadeRepository(stateFile: string, storeFolder: string, server: string): Promise<void> {
  mkdirSync(dirname(stateFile), { recursive: true });
  const { key } = recoveryKey(stateFile);
  const options = { hostname: "host", username: "user", now: Date.now(), scrypt: QUICK_KEY };
  await Repository.init(new LocalStore(join(storeFolder, server)), Buffer.from(key, "utf8"), options);
}
