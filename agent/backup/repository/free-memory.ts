/** Smaller buffers are left to the garbage collector: freeing them would not pay. In bytes. */
const WORTH_BYTES = 16 * 1024;

/**
 * Gives the memory of a large buffer back at once, also that of all other views on it. Nobody may use it afterwards. The collector would come
 * too late: it counts little for a buffer, so hundreds of MiB would wait for it.
 */
export function freeMemory({ buffer, byteLength }: Uint8Array): void {
  // Node shares out memory of the pool's size, but never all of it to one.
  const isOwn = byteLength === buffer.byteLength || buffer.byteLength > Buffer.poolSize;
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= WORTH_BYTES && isOwn) buffer.transfer(0);
}
