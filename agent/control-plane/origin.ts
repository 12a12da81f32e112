import { AgentError, EXIT } from "../errors.ts";

/**
 * The control plane's origin, out of what a person typed. Path and query are dropped.
 * @throws AgentError `bad-url`, `https-required`
 */
export function controlPlaneOrigin(typed: string): string {
  let url: URL;
  try {
    url = new URL(typed);
  } catch (cause) {
    throw badUrl(typed, cause);
  }
  if ((url.protocol !== "https:" && url.protocol !== "http:") || url.hostname === "") throw badUrl(typed);
  if (url.username !== "" || url.password !== "") {
    throw new AgentError("bad-url", "the URL must not contain a user name or a password", { exitCode: EXIT.usage });
  }
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    throw new AgentError("https-required", `${url.origin} is not encrypted; use https:// (http:// is for this machine only)`, {
      exitCode: EXIT.usage,
    });
  }
  return url.origin;
}

function badUrl(typed: string, cause?: unknown): AgentError {
  return new AgentError("bad-url", `"${typed}" is not a URL; give one such as https://reconsync.example.workers.dev`, {
    cause,
    exitCode: EXIT.usage,
  });
}

/** `hostname` as the URL parser wrote it: IPv4 in four decimal parts, IPv6 in brackets, names in lower case. */
function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname);
}
