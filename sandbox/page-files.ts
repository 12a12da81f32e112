import { buildPage } from "./page/build.ts";
import type { PageFiles } from "./server.ts";

let built: Promise<PageFiles> | undefined;

/** Files of the web page, built at the first request and once a process: tests that never open the page do not pay for it. */
export function pageFiles(): Promise<PageFiles> {
  built ??= buildPage();
  return built;
}
