import { type ConsoleSession, type ConsoleTarget, checkText, consoleError, type Dialect } from "./console.ts";
import { type Frame, FrameError, Packets, REPLY_BYTES_MAX } from "./packets.ts";

/*
 * Source RCON. Written from Valve's description, https://developer.valvesoftware.com/wiki/Source_RCON_Protocol, and from what the servers of other
 * games were seen to do: a packet is i32 length of what follows, i32 id, i32 type, text, NUL, NUL; little-endian.
 */

const TYPE = { response: 0, command: 2, loginAnswer: 2, login: 3 } as const;
const REFUSED_ID = -1;
const LENGTH_BYTES = 4;
/** Of a packet with an empty text. */
const PACKET_MIN = 10;
/** Valve's servers send no more than 4,096, others do. */
const PACKET_MAX = REPLY_BYTES_MAX;
/** Texts of a reply that Minecraft sends in several packets have this length, but for the last. In bytes. */
const MINECRAFT_PART_BYTES = 4096;
/** Silence after which a reply is complete, in milliseconds. */
const IDLE_MS = 250;
/** The same while a part of Minecraft's was full, so that more is to come. In milliseconds. */
const FULL_PART_IDLE_MS = 2000;
/** Valve: a packet has at most 4,096 bytes. */
const SOURCE_COMMAND_BYTES = 4096 - PACKET_MIN;
/** Minecraft reads up to 1,460 bytes of a packet at once and takes what is cut for broken. */
const MINECRAFT_COMMAND_BYTES = 1446;

interface RconPacket {
  id: number;
  type: number;
  body: Buffer;
}

/**
 * How one knows that a reply is complete. `sentinel`: an empty packet sent behind the command comes back after the reply (Valve). `parts`: the
 * last part is shorter than the others, and silence follows (Minecraft). `idle`: silence follows (Factorio, which never answers an empty
 * command, and any other).
 */
type ReplyEnd = "sentinel" | "parts" | "idle";

/** @throws FrameError */
export const frame: Frame<RconPacket> = (bytes) => {
  if (bytes.length < LENGTH_BYTES) return null;
  const length = bytes.readInt32LE(0);
  if (length < PACKET_MIN || length > PACKET_MAX) throw new FrameError(`a packet of ${length} bytes`);
  if (bytes.length < LENGTH_BYTES + length) return null;
  const end = LENGTH_BYTES + length;
  const text = bytes.subarray(LENGTH_BYTES + 8, end - 2);
  return { packet: { id: bytes.readInt32LE(4), type: bytes.readInt32LE(8), body: Buffer.from(text) }, length: end };
};

export function packet(id: number, type: number, text: string | Uint8Array): Buffer {
  const body = typeof text === "string" ? Buffer.from(text) : text;
  const bytes = Buffer.alloc(LENGTH_BYTES + PACKET_MIN + body.length);
  bytes.writeInt32LE(PACKET_MIN + body.length, 0);
  bytes.writeInt32LE(id, 4);
  bytes.writeInt32LE(type, 8);
  bytes.set(body, 12);
  return bytes;
}

export function sourceRcon(end: ReplyEnd): Dialect {
  const commandBytesMax = end === "parts" ? MINECRAFT_COMMAND_BYTES : SOURCE_COMMAND_BYTES;
  return {
    commandBytesMax,
    needsPassword: true,
    async open(target, signal) {
      const password = target.password?.reveal() ?? "";
      checkText(password, commandBytesMax);
      const packets = await Packets.connect(target, frame, signal);
      try {
        await logIn(packets, password, target, signal);
        return new RconSession(packets, target, end);
      } catch (error) {
        packets.close();
        throw error;
      }
    },
  };
}

/** Only the packet that is the answer to a login counts: some servers send an empty reply before it. */
async function logIn(packets: Packets<RconPacket>, password: string, target: ConsoleTarget, signal: AbortSignal): Promise<void> {
  packets.write(packet(1, TYPE.login, password));
  for (;;) {
    const answer = await packets.next(signal);
    if (answer?.type !== TYPE.loginAnswer) continue;
    if (answer.id === REFUSED_ID) throw consoleError.refused(target);
    return;
  }
}

class RconSession implements ConsoleSession {
  readonly #packets: Packets<RconPacket>;
  readonly #target: ConsoleTarget;
  readonly #end: ReplyEnd;
  #id = 1;

  constructor(packets: Packets<RconPacket>, target: ConsoleTarget, end: ReplyEnd) {
    this.#packets = packets;
    this.#target = target;
    this.#end = end;
  }

  get open(): boolean {
    return this.#packets.open;
  }

  async exchange(command: string, signal: AbortSignal): Promise<string> {
    // Two ids for each command; never -1, and never one that a late packet may still carry.
    this.#id = this.#id >= 0x7fff_fff0 ? 2 : this.#id + 2;
    const id = this.#id;
    this.#packets.write(packet(id, TYPE.command, command));
    if (this.#end === "sentinel") this.#packets.write(packet(id + 1, TYPE.response, ""));
    return this.#reply(id, signal);
  }

  close(): void {
    this.#packets.close();
  }

  async #reply(id: number, signal: AbortSignal): Promise<string> {
    const parts: Buffer[] = [];
    let bytes = 0;
    for (;;) {
      const last = parts.at(-1);
      const idle = last === undefined || this.#end === "sentinel" ? undefined : this.#idleAfter(last);
      const next = await this.#packets.next(signal, idle);
      if (next === undefined) return textOf(parts);
      // A server that throws its password away says so, in the middle of everything.
      if (next.type === TYPE.loginAnswer && next.id === REFUSED_ID) throw consoleError.refused(this.#target);
      if (this.#end === "sentinel" && next.id === id + 1) return textOf(parts);
      if (next.id !== id) continue;
      parts.push(next.body);
      bytes += next.body.length;
      if (bytes > REPLY_BYTES_MAX) throw consoleError.odd(this.#target, `a reply of more than ${REPLY_BYTES_MAX} bytes`);
    }
  }

  #idleAfter(part: Buffer): number {
    return this.#end === "parts" && part.length >= MINECRAFT_PART_BYTES ? FULL_PART_IDLE_MS : IDLE_MS;
  }
}

/** A character may be cut in two by the end of a packet, so parts are joined first. */
function textOf(parts: readonly Buffer[]): string {
  return Buffer.concat(parts)
    .toString("utf8")
    .replace(/^[\r\n\0]+|[\r\n\0]+$/g, "");
}
