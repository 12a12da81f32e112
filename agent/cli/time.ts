import { AgentError, EXIT } from "../errors.ts";

const TIME = /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2})?)(Z|[+-]\d{2}:\d{2})?)?$/;

/**
 * A time as a person types it: `2026-11-22`, which is its end, or `2026-11-22 14:30`, in this host's zone unless it names one. In milliseconds.
 * @throws AgentError `time-invalid`
 */
export function parseLocalTime(text: string): number {
  const match = TIME.exec(text.trim());
  const [, day, time = "23:59:59", zone = ""] = match ?? [];
  const at = match === null ? Number.NaN : Date.parse(`${day}T${time}${zone}`);
  if (Number.isFinite(at)) return at;
  throw new AgentError("time-invalid", `"${text}" is no time: write it as 2026-11-22 or "2026-11-22 14:30"`, { exitCode: EXIT.usage });
}
