// A small game server for tests: a TCP port, a world that it writes, and a save when it is asked to stop.
// node game.mjs WORLD PORT [slow=MS] [dies=MS] [deaf] [mute]
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

const [world, port, ...traits] = process.argv.slice(2);
const trait = (name) =>
  traits.find((it) => it === name || it.startsWith(`${name}=`))?.split("=")[1] ?? (traits.includes(name) ? "0" : undefined);
const save = (why) => {
  mkdirSync(world, { recursive: true });
  writeFileSync(
    join(world, "world.json"),
    JSON.stringify({ why, pid: process.pid, cwd: process.cwd(), env: Object.keys(process.env).sort() }),
  );
};
const stop = (signal) => {
  console.log(`got ${signal}`);
  if (trait("deaf") !== undefined) return;
  save(signal);
  process.exit(0);
};
process.on("SIGTERM", () => stop("SIGTERM"));
process.on("SIGINT", () => stop("SIGINT"));
const greet = (socket) => {
  // Who only looks whether the port is open goes without a word.
  socket.on("error", () => socket.destroy());
  socket.end("hello\n");
};
setTimeout(
  () => {
    save("start");
    if (trait("mute") === undefined) createServer(greet).listen(Number(port), "127.0.0.1", () => console.log("listening"));
  },
  Number(trait("slow") ?? 0),
);
if (trait("dies") !== undefined) setTimeout(() => process.exit(7), Number(trait("dies")));
setInterval(() => {}, 1000);
