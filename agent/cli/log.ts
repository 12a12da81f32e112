import pino from "pino";
import pretty from "pino-pretty";
import type { HostConfig } from "../config/host-config.ts";
import type { Logger } from "../logger.ts";

/** Should one of these ever get into a log line: it is not shown. */
const SECRET_KEYS = ["authorization", "access_token", "client_assertion", "proof", "privateKey", "password", "d"];
const REDACT = { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`]), censor: "«redacted»" };

const STDERR = 2;

/**
 * The root logger, to stderr: for people on a terminal, JSON lines otherwise, unless the config says which. Lines are written at once,
 * in this process: nothing is lost when it ends.
 */
export function createLogger({ level, format }: HostConfig["log"], err: Pick<NodeJS.WriteStream, "isTTY">): Logger {
  const human = format === "human" || (format === "auto" && err.isTTY);
  const destination = human
    ? pretty({ destination: STDERR, sync: true, colorize: err.isTTY, ignore: "pid,hostname", translateTime: "SYS:yyyy-mm-dd HH:MM:ss" })
    : pino.destination({ dest: STDERR, sync: true });
  return pino({ level, redact: REDACT, base: undefined, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}
