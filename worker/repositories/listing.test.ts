import { env } from "cloudflare:test";
import { expect, it } from "vitest";
import { RESTIC_V2 } from "../../schemas/index.ts";
import { snowflake } from "../testing/interactions.ts";
import { sha256 } from "../testing/test-agent.ts";
import { folderKey, isGivenUp, LOCK_LIFE_MS } from "./files.ts";
import type { ListedFile, ListingDone } from "./listing.ts";
import { formatFor, listingStream, pagesOf } from "./listing.ts";

const V2 = formatFor(RESTIC_V2);

async function* given(...pages: (ListedFile[] | Error)[]): AsyncGenerator<ListedFile[]> {
  for (const page of pages) {
    if (page instanceof Error) throw page;
    yield page;
  }
}

function files(...names: string[]): ListedFile[] {
  return names.map((name) => ({ name, bytes: 1, uploadedAt: 0 }));
}

async function read(stream: ReadableStream<Uint8Array>): Promise<unknown> {
  return JSON.parse(await new Response(stream).text());
}

it("puts pages together to one array, whichever of them are empty", async () => {
  const nothing = () => {};
  const names = async (...pages: ListedFile[][]) => {
    const stream = await listingStream(given(...pages), { type: "data", format: formatFor("*/*"), now: 0, done: nothing });
    return read(stream);
  };
  expect(await names()).toEqual([]);
  expect(await names([])).toEqual([]);
  expect(await names([], files("a"), [], files("b", "c"), [])).toEqual(["a", "b", "c"]);
});

it("fails before anything is sent when the first page fails, and breaks off when a later one does", async () => {
  const heard: (ListingDone | null)[] = [];
  const options = { type: "data" as const, format: V2, now: 0, done: (result: ListingDone | null) => heard.push(result) };
  await expect(listingStream(given(new Error("R2 is away")), options)).rejects.toThrow("R2 is away");
  const stream = await listingStream(given(files("a"), new Error("R2 is away")), options);
  await expect(read(stream)).rejects.toThrow("R2 is away");
  expect(heard).toEqual([null]);
});

it("says that nothing came of it when the client hangs up", async () => {
  const heard: (ListingDone | null)[] = [];
  const options = { type: "data" as const, format: V2, now: 0, done: (result: ListingDone | null) => heard.push(result) };
  const stream = await listingStream(given(files("a"), files("b")), options);
  await stream.cancel();
  expect(heard).toEqual([null]);
});

it("leaves out locks that were given up, and says which", async () => {
  const folder = folderKey(snowflake(), "island", "locks");
  const name = await sha256(new Uint8Array([1]));
  await env.BACKUPS.put(`${folder}/${name}`, "lock");
  const listed = async (type: "locks" | "data", now: number) => {
    let result: ListingDone | null = null;
    const options = { type, format: V2, now, done: (one: ListingDone | null) => (result = one) };
    return { shown: await read(await listingStream(pagesOf(env.BACKUPS, folder), options)), result };
  };
  const now = Date.now();
  expect(await listed("locks", now)).toEqual({ shown: [{ name, size: 4 }], result: { count: 1, givenUp: [] } });
  expect(await listed("locks", now + LOCK_LIFE_MS + 60_000)).toEqual({ shown: [], result: { count: 0, givenUp: [name] } });
  expect(await listed("data", now + LOCK_LIFE_MS + 60_000)).toEqual({ shown: [{ name, size: 4 }], result: { count: 1, givenUp: [] } });
});

it("gives nothing up but locks, and no lock that restic would still honour", () => {
  expect(isGivenUp("locks", 0, 31 * 60_000)).toBe(false);
  expect(isGivenUp("locks", 0, LOCK_LIFE_MS + 1)).toBe(true);
  for (const type of ["data", "index", "keys", "snapshots", "config"] as const) expect(isGivenUp(type, 0, 1e15)).toBe(false);
});
