import { lookup } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { connect, isIP } from "node:net";
import { networkInterfaces } from "node:os";
import type { ServerStatus } from "../../schemas/status.ts";
import type { ServerConfig } from "../config/host-config.ts";
import { reason } from "./bounded.ts";

export interface PortReport {
  port: ServerStatus["port"];
  problems: string[];
}

/** A server on the same host or in the same network answers within milliseconds. */
const CONNECT_TIMEOUT_MS = 1500;
/** State of a UDP socket that waits for anybody, in /proc/net/udp (TCP_CLOSE of the kernel); 01 is one that talks to one peer. */
const UDP_UNCONNECTED = "07";

/** Whether the server's game port is open: by connecting for TCP, by looking for a bound socket of this host for UDP. */
export async function observePort(
  server: Pick<ServerConfig, "address" | "ports" | "profile">,
  platform: NodeJS.Platform = process.platform,
): Promise<PortReport> {
  const number = server.ports.game;
  const { protocol } = server.profile.ports.game;
  if (number === undefined) return { port: { state: "unknown" }, problems: ["No game port is known. Set ports.game in config.yaml."] };
  const port = { number, protocol };
  const { state, problem } = await (protocol === "tcp" ? tcpState(server.address, number) : udpState(server.address, number, platform));
  return { port: { ...port, state }, problems: problem === undefined ? [] : [problem] };
}

interface PortState {
  state: ServerStatus["port"]["state"];
  problem?: string;
}

function tcpState(address: string, port: number): Promise<PortState> {
  const { promise, resolve } = Promise.withResolvers<PortState>();
  const socket = connect({ host: address, port, timeout: CONNECT_TIMEOUT_MS });
  socket.once("connect", () => resolve({ state: "open" }));
  socket.once("timeout", () => resolve({ state: "unknown", problem: `${address}:${port}/tcp did not answer: a firewall may be between.` }));
  socket.once("error", (error) => {
    const refused = "code" in error && error.code === "ECONNREFUSED";
    resolve(refused ? { state: "closed" } : { state: "unknown", problem: `${address}:${port}/tcp cannot be reached: ${reason(error)}` });
  });
  return promise.finally(() => socket.destroy());
}

async function udpState(address: string, port: number, platform: NodeJS.Platform): Promise<PortState> {
  if (!(await isThisHost(address))) {
    return { state: "unknown", problem: `Whether ${port}/udp is open can only be seen on this host, and ${address} is another.` };
  }
  try {
    const bound = platform === "linux" ? await boundOnLinux() : await boundElsewhere();
    return { state: bound.has(port) ? "open" : "closed" };
  } catch (error) {
    return { state: "unknown", problem: `The UDP sockets of this host cannot be listed: ${reason(error)}` };
  }
}

async function boundOnLinux(): Promise<Set<number>> {
  const tables = await Promise.all([readFile("/proc/net/udp", "utf8"), readFile("/proc/net/udp6", "utf8").catch(() => "")]);
  return new Set(tables.flatMap(parseUdpTable));
}

/** Ports with a waiting socket in the text of /proc/net/udp or udp6. */
export function parseUdpTable(text: string): number[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) /.exec(line);
    return match?.[1] !== undefined && match[2] === UDP_UNCONNECTED ? [Number.parseInt(match[1], 16)] : [];
  });
}

async function boundElsewhere(): Promise<Set<number>> {
  const { networkConnections } = await import("systeminformation");
  return new Set(udpPortsOf(await networkConnections()));
}

/** Ports of UDP sockets without a peer, as systeminformation lists them. */
export function udpPortsOf(connections: { protocol: string; localPort: string; peerPort: string }[]): number[] {
  return connections.filter((it) => it.protocol.startsWith("udp") && !/[1-9]/.test(it.peerPort)).map((it) => Number(it.localPort));
}

async function isThisHost(address: string): Promise<boolean> {
  const ip = isIP(address)
    ? address
    : await lookup(address).then(
        (found) => found.address,
        () => undefined,
      );
  if (ip === undefined) return false;
  if (/^127\.|^::1$/.test(ip)) return true;
  return Object.values(networkInterfaces()).some((list) => list?.some((it) => it.address === ip));
}
