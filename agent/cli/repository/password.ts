import { readFile } from "node:fs/promises";
import { AgentError, EXIT } from "../../errors.ts";
import type { Io } from "../io.ts";
import type { RepositoryOptions } from "./options.ts";

/** A password file is a line of text; what is larger is another file, in bytes. */
const PASSWORD_BYTES_MAX = 64 * 1024;

/**
 * The password as its file has it: without white space around it, and without the mark that editors put before UTF-8 or UTF-16 text. So the
 * same file opens a repository with other programs of its format.
 * @throws AgentError `password-file-missing`, `password-empty`
 */
export async function readPassword({ passwordFile }: RepositoryOptions, io: Io): Promise<Buffer> {
  const file = passwordFile ?? io.env.RECONSYNC_PASSWORD_FILE;
  if (file === undefined || file === "") {
    throw new AgentError("password-file-missing", "the repository's password is needed: write it to a file and give --password-file FILE", {
      exitCode: EXIT.usage,
    });
  }
  const password = Buffer.from(textOf(await read(file)).trim(), "utf8");
  if (password.length === 0) {
    throw new AgentError("password-empty", `${file} holds no password; put the repository's password into it`, { exitCode: EXIT.usage });
  }
  return password;
}

async function read(file: string): Promise<Buffer> {
  try {
    const bytes = await readFile(file);
    if (bytes.length > PASSWORD_BYTES_MAX) throw new Error("it is too large to be a password");
    return bytes;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new AgentError("password-file-missing", `cannot read the password file ${file}: ${why}`, { cause: error, exitCode: EXIT.usage });
  }
}

/** Text of a file that Notepad or another editor wrote. */
export function textOf(bytes: Buffer): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return bytes.subarray(2).toString("utf16le");
  if (bytes[0] === 0xfe && bytes[1] === 0xff)
    return Buffer.from(bytes.subarray(2, bytes.length & ~1))
      .swap16()
      .toString("utf16le");
  return bytes.toString("utf8").replace(/^\uFEFF/, "");
}
