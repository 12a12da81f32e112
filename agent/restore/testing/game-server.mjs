// A game server for tests: it reads its world when it starts, serves a port, and writes to its world when it stops.
import { appendFileSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

const [folder, port] = process.argv.slice(2);
const level = readFileSync(join(folder, "world/level.dat"));
if (level.includes("BROKEN")) process.exit(3);
const server = createServer((socket) => socket.end());
process.on("SIGTERM", () => {
  appendFileSync(join(folder, "logs/latest.log"), "stopped\n");
  process.exit(0);
});
server.listen(Number(port), "127.0.0.1", () => process.stdout.write("up\n"));
