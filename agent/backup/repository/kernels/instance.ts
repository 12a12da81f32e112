/** A module of `npm run kernels`, compiled and ready. It is small, so that compiling it at once takes about a millisecond. */
export function instanceOf(binary: string): WebAssembly.Exports {
  return new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(binary, "base64"))).exports;
}
