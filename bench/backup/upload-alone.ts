import { createHash, randomBytes } from "node:crypto";
import { Agent, request } from "node:http";

/**
 * `node upload-alone.ts ADDRESS BYTES`: sends so many bytes to a server of restic's REST protocol, as packs, and does nothing else. No program that stores as much there
 * can be faster. The bytes are random, as encrypted ones are.
 */

/** As both programs make them, in bytes. */
const PACK_BYTES = 16 * 1024 * 1024;
/** Requests at a time: restic's own default for such a server (its documentation, `rest.connections`). */
const PARALLEL = 5;

const [address = "", bytes = ""] = process.argv.slice(2);
const base = new URL(address.replace(/^rest:/, ""));
const agent = new Agent({ keepAlive: true });
let left = Number(bytes);
await Promise.all(Array.from({ length: PARALLEL }, sendPacks));
agent.destroy();

async function sendPacks(): Promise<void> {
  const memory = randomBytes(PACK_BYTES);
  for (let number = 0; left > 0; number += 1) {
    const pack = memory.subarray(0, Math.min(left, PACK_BYTES));
    left -= pack.length;
    // Another pack each time.
    pack.writeUInt32LE(number);
    await send(createHash("sha256").update(pack).digest("hex"), pack);
  }
}

function send(name: string, pack: Buffer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const sending = request(`${base.href.replace(/\/?$/, "/")}data/${name}`, {
    method: "POST",
    agent,
    headers: { "content-length": pack.length },
  });
  sending.on("error", reject);
  sending.on("response", (answer) => {
    answer.resume();
    answer.on("end", () => (answer.statusCode === 200 ? resolve() : reject(new Error(`${answer.statusCode} for ${name}`))));
  });
  sending.end(pack);
  return promise;
}
