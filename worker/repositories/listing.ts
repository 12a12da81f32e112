import type { RepositoryFolder } from "../../schemas/index.ts";
import { RESTIC_V1, RESTIC_V2, repositoryFileName } from "../../schemas/index.ts";
import { isGivenUp } from "./files.ts";

/** Keys that R2 lists at once, at most (R2's documentation, Workers API). */
export const LISTED_AT_ONCE_MAX = 1000;

export interface ListedFile {
  name: string;
  bytes: number;
  uploadedAt: number;
}

/** Files of a folder, a page of R2's at a time. What does not look like a file of a repository is left out. */
export async function* pagesOf(bucket: R2Bucket, folder: string): AsyncGenerator<ListedFile[]> {
  const prefix = `${folder}/`;
  let cursor: string | undefined;
  do {
    const page = await bucket.list({ prefix, limit: LISTED_AT_ONCE_MAX, ...(cursor === undefined ? {} : { cursor }) });
    yield page.objects
      .map(({ key, size, uploaded }) => ({ name: key.slice(key.lastIndexOf("/") + 1), bytes: size, uploadedAt: uploaded.getTime() }))
      .filter(({ name }) => repositoryFileName.safeParse(name).success);
    cursor = page.truncated ? page.cursor : undefined;
  } while (cursor !== undefined);
}

/** How a listing is written: version 2 with sizes for clients that ask for it, version 1 with names only for all others. */
export interface ListingFormat {
  contentType: string;
  entry: (file: ListedFile) => string;
}

export function formatFor(accept: string | undefined): ListingFormat {
  if (accept?.includes(RESTIC_V2) === true)
    return { contentType: RESTIC_V2, entry: ({ name, bytes }) => JSON.stringify({ name, size: bytes }) };
  return { contentType: RESTIC_V1, entry: ({ name }) => JSON.stringify(name) };
}

/** What came of a listing when it has been sent. */
export interface ListingDone {
  count: number;
  /** Locks that were left out for their age. */
  givenUp: string[];
}

/**
 * A listing as a stream of JSON: one page of R2 is held at a time. The first page has been read when this resolves, so that a failure is a
 * status; a later one breaks the stream off, which no client takes for the end of a JSON array. `done` hears once what came of it: null when
 * it was not sent whole.
 */
export async function listingStream(
  pages: AsyncGenerator<ListedFile[]>,
  { type, format, now, done }: { type: RepositoryFolder; format: ListingFormat; now: number; done: (result: ListingDone | null) => void },
): Promise<ReadableStream<Uint8Array>> {
  const encoder = new TextEncoder();
  const result: ListingDone = { count: 0, givenUp: [] };
  let next = await pages.next();
  let opened = false;
  const textOf = (files: ListedFile[]) => {
    const shown = files.filter(({ uploadedAt }) => !isGivenUp(type, uploadedAt, now));
    for (const { name, uploadedAt } of files) if (isGivenUp(type, uploadedAt, now)) result.givenUp.push(name);
    const before = opened ? (result.count > 0 && shown.length > 0 ? "," : "") : "[";
    opened = true;
    result.count += shown.length;
    return before + shown.map(format.entry).join(",");
  };
  return new ReadableStream({
    async pull(controller) {
      if (next.done === true) {
        controller.enqueue(encoder.encode(opened ? "]" : "[]"));
        controller.close();
        done(result);
        return;
      }
      controller.enqueue(encoder.encode(textOf(next.value)));
      try {
        next = await pages.next();
      } catch (error) {
        done(null);
        throw error;
      }
    },
    async cancel() {
      done(null);
      await pages.return(undefined);
    },
  });
}
