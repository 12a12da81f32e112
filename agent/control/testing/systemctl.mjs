// A stand-in for systemctl that starts and stops real processes, and keeps in FAKE_SYSTEMD what it was asked and what runs.
import { spawn } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.env.FAKE_SYSTEMD ?? "/nonexistent";
appendFileSync(join(folder, "calls"), `${process.argv.slice(2).join(" ")}\n`);
const file = join(folder, "unit.json");
const unit = JSON.parse(readFileSync(file, "utf8"));
const words = process.argv.slice(2).filter((it) => !it.startsWith("--"));
const [verb, name] = words;
const runs = () => {
  // One that has ended and whose parent has not taken note of it is a zombie.
  return unit.pid > 1 && existsSync(`/proc/${unit.pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${unit.pid}/stat`, "utf8"));
};
const refuse = (text, code) => {
  process.stderr.write(`${text}\n`);
  process.exit(code);
};
if (verb === "show") {
  if (name !== unit.name) process.stdout.write("LoadState=not-found\nActiveState=inactive\nSubState=dead\nMainPID=0\n");
  else {
    const active = existsSync(join(folder, "looping")) ? "activating" : runs() ? "active" : "inactive";
    process.stdout.write(`LoadState=loaded\nActiveState=${active}\nSubState=x\nMainPID=${runs() ? unit.pid : 0}\nTasksCurrent=[not set]\n`);
  }
  process.exit(0);
}
if (unit.refuses) refuse(`Failed to ${verb} ${name}: Interactive authentication required.`, 4);
if (verb === "stop" && runs()) process.kill(unit.pid, "SIGTERM");
if (verb === "start" && !runs()) {
  const child = spawn(unit.start[0], unit.start.slice(1), { detached: true, stdio: "ignore" });
  writeFileSync(file, JSON.stringify({ ...unit, pid: child.pid }));
  child.unref();
}
process.exit(0);
