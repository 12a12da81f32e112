import pino from "pino";
import pretty from "pino-pretty";
import { traceIdOf } from "../../schemas/index.ts";
import type { HostConfig } from "../config/host-config.ts";
import { Redactor } from "../config/redactor.ts";
import { COMPONENTS, type Component } from "../health/agent-metrics.ts";
import type { Logger } from "../logger.ts";
import { currentTrace } from "../tracing/context.ts";

/** Should one of these ever get into a log line: it is not shown. */
const SECRET_KEYS = ["authorization", "access_token", "client_assertion", "proof", "privateKey", "password", "d"];
const REDACT = { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`]), censor: "«redacted»" };

const STDERR = 2;
/** pino's level `error`. */
const ERROR = 50;

/**
 * The root logger, to stderr: for people on a terminal, JSON lines otherwise, unless the config says which. Lines are written at once,
 * in this process: nothing is lost when it ends. What `redactor` knows stands in no line. Each line names its component, and the trace
 * and the job in whose work it was written.
 */
export function createLogger(
  { level, format }: HostConfig["log"],
  err: Pick<NodeJS.WriteStream, "isTTY">,
  redactor = new Redactor(),
  onError: (component: Component) => void = () => undefined,
): Logger {
  const human = format === "human" || (format === "auto" && err.isTTY);
  const destination = human
    ? pretty({ destination: STDERR, sync: true, colorize: err.isTTY, ignore: "pid,hostname", translateTime: "SYS:yyyy-mm-dd HH:MM:ss" })
    : pino.destination({ dest: STDERR, sync: true });
  const mixin = (_line: object, level: number, logger: Logger) => {
    const bound = logger.bindings();
    if (level >= ERROR) onError(componentOf(bound));
    return whereFrom(bound);
  };
  const hooks = { streamWrite: (line: string) => redactor.scrubLine(line) };
  return pino({ level, redact: REDACT, base: undefined, mixin, timestamp: pino.stdTimeFunctions.isoTime, hooks }, destination);
}

function componentOf({ component }: Record<string, unknown>): Component {
  return COMPONENTS.find((known) => known === component) ?? "agent";
}

/** What a line says of where it comes from, besides what its logger says already: a key must not stand in it twice. */
function whereFrom(bound: Record<string, unknown>): Record<string, string> {
  const work = currentTrace();
  return {
    ...("component" in bound ? {} : { component: "agent" }),
    ...(work === undefined || "trace" in bound ? {} : { trace: traceIdOf(work.traceparent) }),
    ...(work?.job === undefined || "job" in bound ? {} : { job: work.job }),
  };
}
