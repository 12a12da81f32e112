import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { runCli } from "../cli/program.ts";

/** Runs a command line in this process and answers what it printed. */
export async function cli(args: string[], given: { env?: NodeJS.ProcessEnv; isTTY?: boolean; gamesFolder?: string } = {}) {
  const [out, err] = [stream(given.isTTY), stream(given.isTTY)];
  const gamesFolder = given.gamesFolder ?? fileURLToPath(new URL("../../games", import.meta.url));
  const code = await runCli(args, { out: out.stream, err: err.stream, env: given.env ?? {}, gamesFolder });
  return { code, out: out.text(), err: err.text() };
}

function stream(isTTY = false) {
  const through = new PassThrough();
  const chunks: string[] = [];
  through.on("data", (chunk) => chunks.push(String(chunk)));
  return { stream: Object.assign(through, { isTTY, columns: 100 }) as unknown as NodeJS.WriteStream, text: () => chunks.join("") };
}
