// Loaded before the program: kills it, as `kill -9` does, just before the n-th time that it changes something on the disk or starts a program.
// Without a number it only counts, and writes the count to a file when the program ends.
import childProcess from "node:child_process";
import fs, { writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import sqlite from "node:sqlite";
import { isMainThread } from "node:worker_threads";

const at = Number(process.env.KILL_AT ?? Number.POSITIVE_INFINITY);
const countFile = process.env.KILL_COUNT;
let count = 0;

function strike() {
  count += 1;
  if (count === at) process.kill(process.pid, "SIGKILL");
}

function watch(owner, names) {
  for (const name of names) {
    const plain = owner[name];
    if (typeof plain !== "function") throw new Error(`there is no ${name}`);
    owner[name] = function watched(...args) {
      strike();
      return plain.apply(this, args);
    };
  }
}

if (isMainThread) {
  watch(fs, ["renameSync", "linkSync", "mkdirSync", "rmdirSync", "rmSync", "writeFileSync", "symlinkSync", "chmodSync", "fsyncSync"]);
  watch(fs.promises, ["rename", "mkdir", "rm", "writeFile", "link", "unlink"]);
  watch(childProcess, ["spawn", "execFile"]);
  watch(sqlite.StatementSync.prototype, ["run"]);
  syncBuiltinESMExports();
  if (countFile !== undefined) {
    const note = writeFileSync;
    process.on("exit", () => note(countFile, String(count)));
  }
}
