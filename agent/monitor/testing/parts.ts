import { type ChildProcess, spawn } from "node:child_process";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** A real process that is called `name`, runs `script`, and ends with the test. Resolves when the script has started. */
export async function startProcess(
  name: string,
  { cwd, script = "setInterval(() => {}, 1000)" }: { cwd?: string; script?: string } = {},
): Promise<{
  pid: number;
  stop: () => Promise<void>;
}> {
  const child = spawn(process.execPath, ["-e", `console.log("up"); ${script}`], { argv0: name, cwd, stdio: ["ignore", "pipe", "inherit"] });
  const stop = () => ended(child);
  onTestFinished(stop);
  await once(child.stdout, "data");
  if (child.pid === undefined) throw new Error("the process did not start");
  return { pid: child.pid, stop };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

/** A TCP server on a free port, closed with the test. */
export async function startTcp(onData?: (data: Buffer) => Uint8Array | undefined): Promise<{ port: number; close: () => Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("data", (data) => {
      const answer = onData?.(data);
      if (answer) socket.write(answer);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  let open = true;
  const close = async () => {
    if (!open) return;
    open = false;
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  onTestFinished(close);
  return { port: (server.address() as AddressInfo).port, close };
}

/** A UDP socket on a free port, closed with the test. What `onMessage` returns goes back to the sender. */
export async function startUdp(
  onMessage?: (message: Buffer) => Uint8Array | undefined,
  type: "udp4" | "udp6" = "udp4",
): Promise<{ port: number; socket: UdpSocket; close: () => Promise<void> }> {
  const socket = createSocket(type);
  socket.on("message", (message, sender) => {
    const answer = onMessage?.(message);
    if (answer) socket.send(answer, sender.port, sender.address);
  });
  socket.bind(0, type === "udp4" ? "127.0.0.1" : "::1");
  await once(socket, "listening");
  let open = true;
  const close = async () => {
    if (!open) return;
    open = false;
    const closed = once(socket, "close");
    socket.close();
    await closed;
  };
  onTestFinished(close);
  return { port: socket.address().port, socket, close };
}

/** A stand-in for a Source server: A2S_INFO behind a challenge, and A2S_PLAYER, after Valve's "Server queries". */
export function a2sResponder(server: {
  name: string;
  map: string;
  players: string[];
  online?: number;
  max: number;
}): (message: Buffer) => Uint8Array | undefined {
  const challenge = Buffer.from([0x0a, 0x1b, 0x2c, 0x3d]);
  const header = Buffer.from([0xff, 0xff, 0xff, 0xff]);
  const text = (value: string) => Buffer.from(`${value}\0`, "utf8");
  const askedWith = (message: Buffer) => message.subarray(-4).equals(challenge);
  return (message) => {
    const kind = message[4];
    if ((kind === 0x54 || kind === 0x55) && !askedWith(message)) return Buffer.concat([header, Buffer.from([0x41]), challenge]);
    if (kind === 0x54) {
      const numbers = Buffer.from([0, 0, server.online ?? server.players.length, server.max, 0, 0x64, 0x6c, 0, 1]);
      const names = [text(server.name), text(server.map), text("folder"), text("Game")];
      return Buffer.concat([header, Buffer.from([0x49, 17]), ...names, numbers, text("1.0"), Buffer.from([0])]);
    }
    if (kind !== 0x55) return undefined;
    const rows = server.players.map((name, index) => Buffer.concat([Buffer.from([index]), text(name), Buffer.alloc(8)]));
    return Buffer.concat([header, Buffer.from([0x44, rows.length]), ...rows]);
  };
}

/** A stand-in for a Minecraft server: the status answer of the server list ping. */
export function minecraftResponder(players: { online: number; max: number; sample?: { name: string; id: string }[] }): () => Uint8Array {
  const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)]);
  const json = Buffer.from(JSON.stringify({ version: { name: "1.21", protocol: 767 }, players, description: { text: "A server" } }));
  const packet = Buffer.concat([Buffer.from([0, ...varint(json.length)]), json]);
  return () => Buffer.concat([Buffer.from(varint(packet.length)), packet]);
}
