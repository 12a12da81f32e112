import { AgentError } from "../errors.ts";
import { VERSION } from "../version.ts";
import { type ConsoleSession, type ConsoleTarget, checkText, consoleError, type Dialect } from "./console.ts";
import { type Frame, FrameError, Packets, REPLY_BYTES_MAX } from "./packets.ts";

/*
 * OpenTTD's admin port. Written from docs/admin_network.md and src/network/core/tcp_admin.h of https://github.com/OpenTTD/OpenTTD, and tried with
 * version 13.0: a frame is u16 length with these two bytes, u8 type, then what the type has; little-endian, texts end with NUL.
 * Servers from version 14 on take a login with a plain password only with `allow_insecure_admin_login = true`.
 */

const TYPE = {
  join: 0,
  quit: 1,
  rcon: 5,
  full: 100,
  banned: 101,
  error: 102,
  welcome: 104,
  shutdown: 106,
  rconReply: 120,
  rconEnd: 125,
} as const;
const HEADER_BYTES = 3;
const NAME = "ReconSync";
/** `NETWORK_RCONCOMMAND_LENGTH`, with the NUL. In bytes. */
const COMMAND_BYTES = 499;
/** `NETWORK_PASSWORD_LENGTH` is 33 with the NUL. In bytes. */
const PASSWORD_BYTES = 32;
/** `NetworkErrorCode` in src/network/network_type.h: wrong password, not authorised, not expected. */
const ERRORS_OF_LOGIN: ReadonlySet<number> = new Set([6, 7, 10]);

interface AdminFrame {
  type: number;
  body: Buffer;
}

/** @throws FrameError */
export const frame: Frame<AdminFrame> = (bytes) => {
  if (bytes.length < HEADER_BYTES) return null;
  const length = bytes.readUInt16LE(0);
  if (length < HEADER_BYTES) throw new FrameError(`a frame of ${length} bytes`);
  if (bytes.length < length) return null;
  return { packet: { type: bytes.readUInt8(2), body: Buffer.from(bytes.subarray(HEADER_BYTES, length)) }, length };
};

export function adminFrame(type: number, ...texts: string[]): Buffer {
  const body = Buffer.concat(texts.map((text) => Buffer.from(`${text}\0`)));
  const bytes = Buffer.alloc(HEADER_BYTES + body.length);
  bytes.writeUInt16LE(bytes.length, 0);
  bytes.writeUInt8(type, 2);
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

export const openttdAdmin: Dialect = {
  commandBytesMax: COMMAND_BYTES,
  needsPassword: true,
  async open(target, signal) {
    const password = target.password?.reveal() ?? "";
    checkText(password, PASSWORD_BYTES);
    const frames = await Packets.connect(target, frame, signal);
    try {
      frames.write(adminFrame(TYPE.join, password, NAME, VERSION));
      await untilWelcome(frames, target, signal);
      return new AdminSession(frames, target);
    } catch (error) {
      frames.close();
      throw error;
    }
  },
};

async function untilWelcome(frames: Packets<AdminFrame>, target: ConsoleTarget, signal: AbortSignal): Promise<void> {
  try {
    for (;;) {
      const next = await frames.next(signal);
      if (next?.type === TYPE.welcome) return;
      if (next !== undefined) refuse(next, target);
    }
  } catch (error) {
    // Version 13 closes the connection so fast after a wrong password that its reason gets lost.
    if (error instanceof AgentError && error.code === "console-lost") throw consoleError.refused(target);
    throw error;
  }
}

/** What ends a connection. All else that is pushed is left alone, as the protocol asks. */
function refuse({ type, body }: AdminFrame, target: ConsoleTarget): void {
  if (type === TYPE.full) throw consoleError.unreachable(target, "it has no room for another admin");
  if (type === TYPE.banned) throw consoleError.unreachable(target, "this host is banned there");
  if (type === TYPE.shutdown) throw consoleError.lost(target, "since the server stops");
  if (type !== TYPE.error) return;
  const code = body[0] ?? 0;
  if (ERRORS_OF_LOGIN.has(code)) throw consoleError.refused(target);
  throw consoleError.odd(target, `error ${code}`);
}

class AdminSession implements ConsoleSession {
  readonly #frames: Packets<AdminFrame>;
  readonly #target: ConsoleTarget;

  constructor(frames: Packets<AdminFrame>, target: ConsoleTarget) {
    this.#frames = frames;
    this.#target = target;
  }

  get open(): boolean {
    return this.#frames.open;
  }

  async exchange(command: string, signal: AbortSignal): Promise<string> {
    this.#frames.write(adminFrame(TYPE.rcon, command));
    const lines: string[] = [];
    let bytes = 0;
    for (;;) {
      const next = await this.#frames.next(signal);
      if (next === undefined) continue;
      if (next.type === TYPE.rconEnd) return lines.join("\n");
      if (next.type !== TYPE.rconReply) {
        refuse(next, this.#target);
        continue;
      }
      // u16 colour, then the text.
      lines.push(textAt(next.body, 2));
      bytes += next.body.length;
      if (bytes > REPLY_BYTES_MAX) throw consoleError.odd(this.#target, `a reply of more than ${REPLY_BYTES_MAX} bytes`);
    }
  }

  close(): void {
    if (this.#frames.open) this.#frames.write(adminFrame(TYPE.quit));
    this.#frames.close();
  }
}

function textAt(body: Buffer, start: number): string {
  const end = body.indexOf(0, start);
  return body.toString("utf8", start, end < 0 ? body.length : end);
}
