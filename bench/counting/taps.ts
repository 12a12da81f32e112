import type { Meter } from "./meter.ts";

/** Listens to the runtime's own objects by wrapping methods of their prototypes: the object under measure gets the real ones. */

type Note = (result: unknown, parameters: unknown[]) => void;

const wrapped = new WeakSet<object>();

export function tapStorage(storage: DurableObjectStorage, meter: Meter): void {
  tap(storage.sql, "exec", (cursor, [text]) => meter.statement(String(text), cursor as SqlStorageCursor<Record<string, SqlStorageValue>>));
  tap(storage, "setAlarm", (_, [at]) => meter.alarmSet(at instanceof Date ? at.getTime() : Number(at)));
  tap(storage, "deleteAlarm", () => meter.alarmSet(null));
  // Not written down in the price list as free, so it counts.
  tap(storage, "getAlarm", () => meter.rows("getAlarm", 1, 0));
  for (const name of ["get", "list"]) tap(storage, name, () => meter.rows(name, 1, 0));
  for (const name of ["put", "delete"]) tap(storage, name, () => meter.rows(name, 0, 1));
}

/** Classes of operations: developers.cloudflare.com/r2/pricing. Deleting and aborting are free. */
export function tapR2(bucket: R2Bucket, meter: Meter): void {
  for (const name of ["put", "list", "createMultipartUpload"]) tap(bucket, name, () => meter.r2("r2ClassA"));
  for (const name of ["get", "head"]) tap(bucket, name, () => meter.r2("r2ClassB"));
  tap(bucket, "resumeMultipartUpload", (upload) => {
    for (const name of ["uploadPart", "complete"]) tap(upload as R2MultipartUpload, name, () => meter.r2("r2ClassA"));
  });
}

function tap(object: object, name: string, note: Note): void {
  let holder: object | null = object;
  while (holder !== null && !Object.hasOwn(holder, name)) holder = Object.getPrototypeOf(holder) as object | null;
  const method: unknown = holder === null ? undefined : Reflect.get(holder, name);
  if (holder === null || typeof method !== "function") throw new Error(`there is no ${name} to listen to`);
  if (wrapped.has(method)) return;
  const listening = function (this: unknown, ...parameters: unknown[]): unknown {
    const result: unknown = method.apply(this, parameters);
    note(result, parameters);
    return result;
  };
  wrapped.add(listening);
  Object.defineProperty(holder, name, { value: listening, configurable: true, writable: true });
}
