import { AgentError, EXIT } from "../../errors.ts";
import { atOnce } from "./at-once.ts";
import { Cipher, type MasterKey } from "./format/cipher.ts";
import { decodeConfig, type RepositoryConfig } from "./format/config-file.ts";
import { CorruptError } from "./format/corrupt.ts";
import { hashOf, type Id } from "./format/ids.ts";
import { openKeyFile } from "./format/key-file.ts";
import { isMissing } from "./missing.ts";
import { CONFIG_NAME, type RepositoryStore } from "./stores/store.ts";

/** Key files that are tried, since each costs about half a second. The number is restic's. */
export const KEYS_MAX = 20;

export interface Opened {
  master: MasterKey;
  config: RepositoryConfig;
}

/** What stands for a config that is damaged, where reading goes on without: nothing that is read needs it. */
const LOST_CONFIG: RepositoryConfig = { version: 2, id: "0".repeat(64), chunker_polynomial: "0" };

/**
 * Finds the key that the password opens, and the config that the key opens.
 * @throws AgentError `repository-missing`, `wrong-password`, `repository-version`, `repository-damaged`
 */
export async function openKeys(
  store: RepositoryStore,
  password: Buffer,
  { onDamaged, signal }: { onDamaged?: (damage: CorruptError) => void; signal?: AbortSignal },
): Promise<Opened> {
  const sealed = await readConfig(store, signal);
  const keys = await readKeys(store, signal);
  if (sealed === null && keys.size === 0) {
    throw new AgentError(
      "repository-missing",
      `There is no repository at ${store.place}. Check the place, or make one with "reconsync repository init".`,
    );
  }
  if (keys.size === 0) throw new CorruptError("keys", "there is none in the store, and nothing opens the repository without one");
  const damaged: CorruptError[] = [];
  let master: MasterKey | undefined;
  for (const [name, bytes] of keys) {
    signal?.throwIfAborted();
    try {
      const opened = await openKey(name, bytes, password);
      if (opened === null) continue;
      master = opened;
      return { master, config: openConfig(master, sealed) };
    } catch (error) {
      // The config did not open with this key: it is damaged, or another key is the right one.
      if (!(error instanceof CorruptError)) throw error;
      damaged.push(error);
    }
  }
  const [first] = damaged;
  if (first === undefined) {
    const text = `The password opens none of the keys of the repository at ${store.place}. Check the password file, or look for the recovery key.`;
    throw new AgentError("wrong-password", text, { exitCode: EXIT.refused });
  }
  if (master === undefined || onDamaged === undefined) throw first;
  for (const damage of damaged) onDamaged(damage);
  return { master, config: LOST_CONFIG };
}

async function openKey(name: Id, bytes: Buffer, password: Buffer): Promise<MasterKey | null> {
  if (hashOf(bytes) !== name) throw new CorruptError(`key ${name}`, "its content has another SHA-256 than its name");
  return openKeyFile(bytes, password);
}

function openConfig(master: MasterKey, sealed: Buffer | null): RepositoryConfig {
  if (sealed === null) throw new CorruptError("config", "it is missing in the store");
  return decodeConfig(new Cipher(master), sealed);
}

async function readConfig(store: RepositoryStore, signal: AbortSignal | undefined): Promise<Buffer | null> {
  try {
    return await store.read("config", CONFIG_NAME, undefined, signal);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

async function readKeys(store: RepositoryStore, signal: AbortSignal | undefined): Promise<Map<Id, Buffer>> {
  const names: Id[] = [];
  for await (const { name } of store.list("keys", signal)) {
    names.push(name);
    if (names.length >= KEYS_MAX) break;
  }
  const keys = new Map<Id, Buffer>();
  await atOnce(names, store.parallel, async (name) => {
    keys.set(name, await store.read("keys", name, undefined, signal));
  });
  return keys;
}
