import { AgentError, EXIT } from "../errors.ts";
import type { RunProgram } from "./run-program.ts";

export interface Account {
  name: string;
  uid: number;
}

/** What the system's service runs as, and what is worth saying about it. */
export interface AccountChoice {
  /** Undefined is root. */
  account: Account | undefined;
  notice?: string;
}

const ADVICE = "An account of its own with less rights is better: --run-as USER.";

/** An account of this host, by its name or number. @throws AgentError `account-unknown` */
export async function accountOf(key: string, run: RunProgram): Promise<Account> {
  const account = await findAccount(key, run);
  if (account !== undefined) return account;
  throw new AgentError("account-unknown", `this host has no account ${key}; name the one that runs the game servers with --run-as`, {
    exitCode: EXIT.usage,
  });
}

async function findAccount(key: string, run: RunProgram): Promise<Account | undefined> {
  const { code, out } = await run("getent", ["passwd", key]);
  const [name, , uid] = out.split("\n")[0]?.split(":") ?? [];
  if (code === 0 && name !== undefined && uid !== undefined && /^\d+$/.test(uid) && /^[A-Za-z0-9_][A-Za-z0-9_.-]*\$?$/.test(name)) {
    return { name, uid: Number(uid) };
  }
  return undefined;
}

/**
 * Who runs the agent when nobody says: the owner of the servers' folders, who can read the worlds and write them back. `owners` has the
 * owner of each folder that exists.
 */
export function ownerOf(owners: readonly number[]): { uid: number; notice?: string } {
  const [first, ...others] = [...new Set(owners)];
  if (first === undefined) return { uid: 0, notice: `None of the servers' folders exists, so the service runs as root. ${ADVICE}` };
  if (others.length > 0) return { uid: 0, notice: `The servers' folders have several owners, so the service runs as root. ${ADVICE}` };
  return first === 0 ? { uid: 0, notice: `The servers' folders belong to root, so the service runs as root. ${ADVICE}` } : { uid: first };
}

export async function chooseAccount(runAs: string | undefined, owners: readonly number[], run: RunProgram): Promise<AccountChoice> {
  if (runAs !== undefined) {
    const account = await accountOf(runAs, run);
    return { account: account.uid === 0 ? undefined : account };
  }
  const { uid, notice } = ownerOf(owners);
  if (uid === 0) return { account: undefined, notice };
  const account = await findAccount(String(uid), run);
  if (account !== undefined) return { account };
  return {
    account: undefined,
    notice: `The servers' folders belong to ${uid}, who has no account here, so the service runs as root. ${ADVICE}`,
  };
}
