import chromium from "@sparticuz/chromium";

/** Unpacks Chromium before the suites start: two that did it at the same time would run what the other still writes (ETXTBSY). */
export default async function unpack(): Promise<void> {
  // The package has a build for Linux only; elsewhere the suites say so.
  if (process.platform === "linux") await chromium.executablePath();
}
