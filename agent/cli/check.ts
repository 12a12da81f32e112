import { systemClock } from "../clock.ts";
import { checkHost } from "../config/check.ts";
import { formatCheck } from "../config/check-text.ts";
import { describeConfig } from "../config/redact.ts";
import type { ExitCode } from "../errors.ts";
import { type Io, printJson } from "./io.ts";
import { type CommonOptions, readConfig } from "./settings.ts";
import { untilStopped } from "./signals.ts";

/** `reconsync check`: changes nothing, needs no control plane. */
export async function checkCommand(options: CommonOptions & { json?: boolean; show?: boolean }, io: Io): Promise<ExitCode> {
  const config = await readConfig(options, io);
  const report = await untilStopped(
    (signal) => checkHost(config, { clock: systemClock, signal }),
    () => undefined,
  );
  if (options.json === true) printJson(io.out, report);
  else {
    if (options.show === true) io.out.write(`${describeConfig(config)}\n`);
    io.out.write(formatCheck(report));
  }
  return report.exitCode;
}
