import { resolve } from "node:path";
import { type VerifyReport, verifyArchive } from "../backup/verify.ts";
import { formatBytes } from "../config/check-text.ts";
import { EXIT, type ExitCode } from "../errors.ts";
import { type Io, printJson, printLine } from "./io.ts";
import { ProgressView } from "./progress-view.ts";
import { untilStopped } from "./signals.ts";
import { countText } from "./text.ts";

/** `reconsync verify ARCHIVE`: needs no config, no state and no control plane. */
export async function verifyCommand(archive: string, options: { manifest?: string; json?: boolean }, io: Io): Promise<ExitCode> {
  const view = new ProgressView(io.err, () => performance.now());
  const report = await untilStopped(
    (signal) =>
      verifyArchive(resolve(archive), {
        manifestPath: options.manifest === undefined ? undefined : resolve(options.manifest),
        report: ({ done, total }) => view.show({ phase: "verifying", done, total }),
        signal,
      }),
    () => printLine(io.err, "\nstopping"),
  ).finally(() => view.clear());
  if (options.json === true) printJson(io.out, report);
  else tell(report, io);
  return report.ok ? EXIT.ok : EXIT.badData;
}

function tell({ ok, archive, files, bytes, differences, differenceCount, header, footer }: VerifyReport, io: Io): void {
  const what = `${countText(files, "file")}, ${formatBytes(bytes)}`;
  if (ok) {
    printLine(io.out, `${archive} is whole: ${what}, as its manifest says (made ${header.createdAt}, ${footer.consistency}).`);
    return;
  }
  for (const { path, detail } of differences) printLine(io.out, path === undefined ? detail : `${path}: ${detail}`);
  if (differenceCount > differences.length) printLine(io.out, `and ${differenceCount - differences.length} more`);
  printLine(
    io.err,
    `reconsync: archive-differs: ${archive} is not what its manifest says: ${countText(differenceCount, "difference")}. Do not restore from it`,
  );
}
