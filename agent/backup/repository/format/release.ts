/**
 * Frees the memory of a buffer that nobody needs any more, now. Node's zlib and crypto make one of a MiB for each piece of a file; left to the
 * garbage collector they cost 300 MB and a third of the processor time of a backup. The buffer is empty afterwards.
 */
export function release(buffer: Uint8Array): void {
  const { buffer: memory } = buffer;
  // Small ones share memory with others.
  if (Buffer.isBuffer(buffer) && memory instanceof ArrayBuffer && memory.byteLength > Buffer.poolSize) memory.transfer(0);
}
