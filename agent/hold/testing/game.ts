/**
 * A game server as a process of its own: it has a console (Source RCON as Minecraft answers it) and a world that it never stops writing, unless
 * saves are held. Each region holds one number from its first byte to its last: the save that wrote it.
 *
 * node game.ts FOLDER PASSWORD [players]; says `port N` on its standard output, then each command as it comes.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { RconServer } from "../../console/testing/rcon-server.ts";

export const REGIONS = 12;
export const REGION_BYTES = 512 * 1024;
const PIECES = 8;

const [folder = "", password = "", players] = process.argv.slice(2);
const saving = { on: true, number: 0, busy: Promise.resolve() };

async function writeRegion(region: number, number: number): Promise<void> {
  const file = openSync(join(folder, "world", `r.${region}.mca`), "r+");
  const piece = Buffer.alloc(REGION_BYTES / PIECES, `${number};`.padStart(8, "0"));
  for (let at = 0; at < PIECES; at += 1) {
    writeSync(file, piece, 0, piece.length, at * piece.length);
    await delay(1);
  }
  closeSync(file);
}

/** One save at a time, as a game has it. */
function save(work: () => Promise<void>): Promise<void> {
  saving.busy = saving.busy.then(work);
  return saving.busy;
}

async function saveAll(): Promise<void> {
  saving.number += 1;
  for (let region = 0; region < REGIONS; region += 1) await writeRegion(region, saving.number);
}

async function autosave(): Promise<void> {
  for (let region = 0; ; region = (region + 1) % REGIONS) {
    await save(async () => {
      if (!saving.on) return;
      saving.number += 1;
      await writeRegion(region, saving.number);
    });
    await delay(2);
  }
}

/** Players are saved when they come, go and die, whatever becomes of the rest of the world. */
async function savePlayers(): Promise<void> {
  for (let round = 0; ; round += 1) {
    const file = openSync(join(folder, "playerdata", "steve.dat"), "w");
    writeSync(file, `round ${round}`);
    fsyncSync(file);
    closeSync(file);
    await delay(20);
  }
}

async function run(command: string): Promise<string> {
  console.log(command);
  switch (command) {
    case "save-off": {
      const was = saving.on;
      await save(async () => {
        saving.on = false;
      });
      return was ? "Automatic saving is now disabled" : "Saving is already turned off";
    }
    case "save-all flush":
      await save(saveAll);
      return "Saving the game (this may take a moment!)Saved the game";
    case "save-on": {
      const was = saving.on;
      saving.on = true;
      return was ? "Saving is already turned on" : "Automatic saving is now enabled";
    }
    case "state":
      return saving.on ? "on" : "off";
    default:
      return `Unknown or incomplete command: ${command}`;
  }
}

if (process.argv[1] === import.meta.filename) {
  for (const name of ["world", "playerdata"]) mkdirSync(join(folder, name), { recursive: true });
  for (let region = 0; region < REGIONS; region += 1) closeSync(openSync(join(folder, "world", `r.${region}.mca`), "w"));
  await saveAll();
  const server = await RconServer.start({ password, kind: "minecraft", run });
  console.log(`port ${server.port}`);
  await Promise.all([autosave(), ...(players === "players" ? [savePlayers()] : [])]);
}
