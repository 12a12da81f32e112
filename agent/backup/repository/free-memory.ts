/** Smaller buffers are left to the garbage collector: freeing them would not pay, and they may lie in memory that Node shares out. In bytes. */
const WORTH_BYTES = 64 * 1024;

/**
 * Gives the memory of a large buffer back at once, also that of all other views on it. Nobody may use it afterwards. The collector would come
 * too late: it counts little for a buffer, so hundreds of MiB would wait for it.
 */
export function freeMemory({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= WORTH_BYTES && buffer.byteLength > Buffer.poolSize) buffer.transfer(0);
}
