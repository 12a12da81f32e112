import type { AnyAuthMethod, AuthHandlerMiddleware } from "ssh2";
import type { SftpLogin } from "./connection.ts";

/**
 * Tries what there is to log in with: a password, each key, an ssh-agent. What the host does not take (any more) is passed over, so that its limit of tries
 * is not used up, and a host that wants a key and then a password gets both.
 */
export function waysIn(login: SftpLogin): AuthHandlerMiddleware {
  const left = methodsOf(login);
  return (taken: readonly string[] | null, _partial, next) => {
    // Before the host has said what it takes, there is nothing but `none` to ask it with.
    const at = left.findIndex(({ type }) => taken === null || taken.includes(type === "agent" ? "publickey" : type));
    const [way] = at < 0 ? [] : left.splice(at, 1);
    // What `ssh2` takes for the end is not in its types.
    next(way ?? (false as unknown as AnyAuthMethod));
  };
}

function methodsOf({ user: username, password, privateKeys, passphrase, agent }: SftpLogin): AnyAuthMethod[] {
  const ways: AnyAuthMethod[] = [{ type: "none", username }];
  if (password !== undefined) ways.push({ type: "password", username, password });
  for (const key of privateKeys) ways.push({ type: "publickey", username, key, passphrase });
  if (agent !== undefined) ways.push({ type: "agent", username, agent });
  return ways;
}
