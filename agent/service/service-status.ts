import type { Ran } from "./run-program.ts";

/** How the service is, on any system. */
export interface ServiceStatus {
  installed: boolean;
  running: boolean;
  /** Starts with the host, or with the user's session. */
  enabled: boolean;
  /** In the words of the system. */
  detail: string;
  pid?: number;
}

/** What `systemctl show` printed. */
export function parseShow({ out }: Pick<Ran, "out">): ServiceStatus {
  const values = new Map(out.split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
  const get = (name: string) => values.get(name) ?? "";
  const pid = Number(get("MainPID"));
  const restarts = Number(get("NRestarts"));
  const failure = get("ActiveState") === "failed" ? `, ended with ${get("ExecMainStatus")} (${get("Result")})` : "";
  return {
    installed: get("LoadState") === "loaded",
    running: get("ActiveState") === "active",
    enabled: get("UnitFileState") === "enabled",
    detail: `${get("ActiveState")} (${get("SubState")})${failure}${restarts > 0 ? `, started again ${restarts} times` : ""}`,
    ...(pid > 0 ? { pid } : {}),
  };
}
