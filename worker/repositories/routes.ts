import { Hono } from "hono";
import type { RepositoryCall, StoredFile } from "../guild/repository-desk.ts";
import { isRefusal, refuse } from "../refusals.ts";
import type { C, RepositoryEnv } from "./access.ts";
import { denied, fileOf, folderOf, repositoryAccess, serverOf } from "./access.ts";
import { readRange, resolveRange } from "./byte-range.ts";
import { folderKey } from "./files.ts";
import type { ListedFile, ListingDone } from "./listing.ts";
import { formatFor, listingStream, pagesOf } from "./listing.ts";
import { isRangeProblem } from "./r2-errors.ts";
import { storeFile } from "./store-file.ts";

/** What agents and the `restic` program call under `/v1/repositories`: restic's REST protocol, version 2, over R2. */
export const repositories = new Hono<RepositoryEnv>()
  .use("/*", repositoryAccess)
  .post("/:server/", createRepository)
  .delete("/:server/", remove)
  .get("/:server/config", read)
  .post("/:server/config", storeFile)
  .delete("/:server/config", remove)
  .get("/:server/:type/", list)
  .get("/:server/:type/:name", read)
  .post("/:server/:type/:name", storeFile)
  .delete("/:server/:type/:name", remove)
  .all("/*", (c) => denied(c, refuse("not-found")));

/** `POST /?create=true`: R2 needs no folders, so only whether the caller may. */
async function createRepository(c: C): Promise<Response> {
  const server = serverOf(c);
  if (server === null || c.req.query("create") !== "true") return denied(c, refuse("not-found"));
  const call: RepositoryCall = { caller: c.get("caller"), server, act: "create", type: null, name: "", bytes: 0 };
  const admitted = await c.get("guild").admitToRepository(call);
  return isRefusal(admitted) ? denied(c, admitted) : new Response(null, { status: 200 });
}

/** `HEAD` and `GET` of one file, whole or by Range. */
async function read(c: C): Promise<Response> {
  const file = fileOf(c, "read");
  if (file === null) return denied(c, refuse("repository-file-unknown"));
  const admitted = await c.get("guild").admitToRepository(file.call);
  if (isRefusal(admitted)) return denied(c, admitted);
  if (c.req.raw.method === "HEAD") {
    const there = await c.env.BACKUPS.head(file.key);
    return there === null
      ? denied(c, refuse("repository-file-unknown"))
      : new Response(null, { headers: { ...FILE_HEADERS, "content-length": String(there.size) } });
  }
  const range = readRange(c.req.header("range"));
  const object = await c.env.BACKUPS.get(file.key, range === null ? {} : { range }).catch((error: unknown) => {
    if (isRangeProblem(error)) return "range" as const;
    throw error;
  });
  if (object === null) return denied(c, refuse("repository-file-unknown"));
  const part = object === "range" ? null : range === null ? { offset: 0, length: object.size } : resolveRange(range, object.size);
  if (object === "range" || part === null) return denied(c, refuse("range-invalid"));
  const headers = { ...FILE_HEADERS, etag: object.httpEtag, "content-length": String(part.length) };
  if (range === null) return new Response(object.body, { headers });
  const contentRange = `bytes ${part.offset}-${part.offset + part.length - 1}/${object.size}`;
  return new Response(object.body, { status: 206, headers: { ...headers, "content-range": contentRange } });
}

const FILE_HEADERS = { "content-type": "application/octet-stream", "accept-ranges": "bytes" };

/** `GET TYPE/`: all files of a type. What turns out to have no row gets one, and locks that were given up go. */
async function list(c: C): Promise<Response> {
  const server = serverOf(c);
  const type = server === null ? null : folderOf(c);
  if (server === null || type === null) return denied(c, refuse("not-found"));
  const call: RepositoryCall = { caller: c.get("caller"), server, act: "list", type, name: "", bytes: 0 };
  const admitted = await c.get("guild").admitToRepository(call);
  if (isRefusal(admitted)) return denied(c, admitted);
  const { recorded } = admitted;
  const hidden = new Set(admitted.hidden);
  const folder = folderKey(c.get("guildId"), server, type);
  const format = formatFor(c.req.header("accept"));
  let finish = (_: ListingDone | null): void => {};
  const finished = new Promise<ListingDone | null>((resolve) => {
    finish = resolve;
  });
  const pages = inSight(pagesOf(c.env.BACKUPS, folder), hidden);
  const stream = await listingStream(pages, { type, format, now: Date.now(), done: (result) => finish(result) });
  c.executionCtx.waitUntil(finished.then((result) => (result === null ? undefined : tidy(c, call, folder, recorded, result))));
  return new Response(stream, { headers: { "content-type": format.contentType } });
}

/** Without files that are hidden. */
async function* inSight(pages: AsyncGenerator<ListedFile[]>, hidden: ReadonlySet<string>): AsyncGenerator<ListedFile[]> {
  for await (const page of pages) yield hidden.size === 0 ? page : page.filter(({ name }) => !hidden.has(name));
}

/** After a listing: removes locks that were given up, and lets the guild's object know of files that it has no rows for. */
async function tidy(c: C, call: RepositoryCall, folder: string, recorded: number | null, { count, givenUp }: ListingDone): Promise<void> {
  if (givenUp.length > 0) await c.env.BACKUPS.delete(givenUp.slice(0, DELETED_AT_ONCE_MAX).map((name) => `${folder}/${name}`));
  if (recorded === null || recorded === count) return;
  const facts = { server: call.server, type: call.type, inR2: count, recorded };
  if (recorded > count) {
    // Rows are not taken away for it: they are what shows that something is missing.
    console.error({ message: "R2 holds fewer files than were recorded", ...facts });
    return;
  }
  let adopted = 0;
  for await (const page of pagesOf(c.env.BACKUPS, folder)) {
    const some = await c.get("guild").adoptFiles(call, page satisfies StoredFile[]);
    if (isRefusal(some)) return;
    adopted += some;
  }
  console.warn({ message: "files in R2 had no rows", ...facts, adopted });
}

/** Keys that R2 deletes at once, at most (R2's documentation, Workers API). */
const DELETED_AT_ONCE_MAX = 1000;

/** `DELETE`: locks only. One that is gone already is a success, so that it can be sent twice. */
async function remove(c: C): Promise<Response> {
  const whole = c.req.path.endsWith("/");
  const server = serverOf(c);
  const file = whole ? null : fileOf(c, "remove");
  if (server === null || (!whole && file === null)) return denied(c, refuse("repository-file-unknown"));
  const call: RepositoryCall = file?.call ?? { caller: c.get("caller"), server, act: "remove", type: null, name: "", bytes: 0 };
  const admitted = await c.get("guild").admitToRepository(call);
  if (isRefusal(admitted)) return denied(c, admitted);
  if (file !== null) await c.env.BACKUPS.delete(file.key);
  return new Response(null, { status: 200 });
}
