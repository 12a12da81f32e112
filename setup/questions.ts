import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { AgentError, EXIT } from "../agent/errors.ts";

/** Asks the person at the terminal. */
export interface Questions {
  /** Empty when they only pressed Enter. */
  ask(question: string): Promise<string>;
  /** What they type is not shown. */
  askHidden(question: string): Promise<string>;
}

/** Questions on a terminal: asked on `output`, answered on `input`. Ctrl+C and the end of the input end the program's work. */
export function terminalQuestions(input: NodeJS.ReadStream, output: NodeJS.WriteStream): Questions {
  const ask = async (question: string, hidden: boolean) => {
    const echo = new Writable({ write: (chunk, encoding, done) => (hidden ? done() : output.write(chunk, encoding, () => done())) });
    const reader = createInterface({ input, output: echo, terminal: true, historySize: 0 });
    // Only now: from here on the terminal itself shows nothing of what is typed.
    output.write(question);
    const gaveUp = Promise.withResolvers<never>();
    const giveUp = () => gaveUp.reject(new AgentError("setup-stopped", "stopped; nothing more was changed", { exitCode: EXIT.failed }));
    reader.once("SIGINT", giveUp);
    reader.once("close", giveUp);
    try {
      const answer = await Promise.race([reader.question(""), gaveUp.promise]);
      return answer.trim();
    } finally {
      reader.off("close", giveUp);
      reader.close();
      if (hidden) output.write("\n");
    }
  };
  return { ask: (question) => ask(question, false), askHidden: (question) => ask(question, true) };
}
