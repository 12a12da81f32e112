import { Command, CommanderError } from "commander";
import { ConfigError, formatProblem } from "../config/config-error.ts";
import { AgentError, EXIT } from "../errors.ts";
import { VERSION } from "../version.ts";
import { type Io, printJson, printLine } from "./io.ts";

/** Runs one command line, without the program's name. Answers the exit code; never throws. */
export async function runCommandLine(
  build: (io: Io, exit: (code: number) => void) => Command,
  args: readonly string[],
  io: Io,
): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = build(io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    return tellError(error, args, io);
  }
}

/** The program without its commands. */
export function reconsync(io: Io): Command {
  return new Command("reconsync")
    .description("Backs up and watches the game servers of this host.")
    .version(`reconsync ${VERSION}`, "-V, --version")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out.write(text),
      writeErr: (text) => io.err.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, "reconsync: usage: ")),
    });
}

/** One clear line; the stack only for those who asked for it. */
function tellError(error: unknown, args: readonly string[], io: Io): number {
  const known = error instanceof AgentError;
  const code = known ? error.code : "internal-error";
  const message = error instanceof Error ? error.message : String(error);
  if (args.includes("--json")) {
    printJson(io.out, {
      error: { code, message, ...(error instanceof ConfigError ? { problems: error.problems.map(formatProblem) } : {}) },
    });
  }
  printLine(io.err, `reconsync: ${code}: ${message}`);
  if (io.env.RECONSYNC_DEBUG === "1" && error instanceof Error) printLine(io.err, error.stack ?? "");
  else if (!known) printLine(io.err, "This is a fault of reconsync itself. RECONSYNC_DEBUG=1 shows where.");
  return known ? error.exitCode : EXIT.failed;
}
