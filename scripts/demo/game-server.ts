import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";

/**
 * The demo's game server, a process of its own: it answers the server list ping of Minecraft: Java Edition, so that `/status` has something
 * real to look at. Usage: `node game-server.ts PID_FILE PORT_FILE`. Shape of the answer: wiki.vg, "Server List Ping".
 */

const STATUS = {
  version: { name: "1.20.1", protocol: 763 },
  players: {
    online: 3,
    max: 20,
    sample: ["Ragnar", "Astrid_*", "@everyone"].map((name, index) => ({ name, id: `00000000-0000-0000-0000-00000000000${index}` })),
  },
  description: { text: "ReconSync demo" },
};

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value >>> 0;
  do {
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.from(bytes);
}

function packet(id: number, body: Buffer): Buffer {
  const content = Buffer.concat([varint(id), body]);
  return Buffer.concat([varint(content.length), content]);
}

const [pidFile = "", portFile = ""] = process.argv.slice(2);
const text = Buffer.from(JSON.stringify(STATUS));
const status = packet(0, Buffer.concat([varint(text.length), text]));

const server = createServer((socket) => {
  socket.on("error", () => socket.destroy());
  socket.setTimeout(5000, () => socket.destroy());
  socket.on("data", (data) => {
    // A ping packet has 9 bytes of content (id and a long) and comes back as it is; anything else is the handshake or the request.
    const ping = data.length === 10 && data[0] === 9 && data[1] === 1;
    socket.write(ping ? data : status);
  });
});
// Started again, it has the port that it had.
const port = existsSync(portFile) ? Number(readFileSync(portFile, "utf8")) : 0;
server.listen(port, "127.0.0.1", () => {
  writeFileSync(portFile, String((server.address() as AddressInfo).port));
  writeFileSync(pidFile, String(process.pid));
});
