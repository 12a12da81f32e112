import { reconsync, runCommandLine } from "../command-line.ts";
import type { Io } from "../io.ts";
import { addRepositoryCommands } from "./commands.ts";

/** Runs a command line that begins with `repository`: in a bundle of its own, a fraction of the whole, it starts in half the time. */
export function runRepositoryCli(args: readonly string[], io: Io): Promise<number> {
  const build = (there: Io, exit: (code: number) => void) => {
    const program = reconsync(there);
    addRepositoryCommands(program, there, exit);
    return program;
  };
  return runCommandLine(build, args, io);
}
