import type { PageFiles } from "./server.ts";

let built: Promise<PageFiles> | undefined;

/** Files of the web page, built at the first request and once a process: tests that never open the page do not pay for it. */
export function pageFiles(): Promise<PageFiles> {
  built ??= buildPage();
  return built;
}

async function buildPage(): Promise<PageFiles> {
  return new Map([["/", { type: "text/plain; charset=utf-8", body: "The sandbox is running. Its page is not built yet." }]]);
}
