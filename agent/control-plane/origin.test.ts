import { describe, expect, test } from "vitest";
import { controlPlaneOrigin } from "./origin.ts";

function codeOf(typed: string): string {
  try {
    return controlPlaneOrigin(typed);
  } catch (error) {
    return String((error as { code?: string }).code);
  }
}

describe("the control plane's address", () => {
  test.each([
    ["https://reconsync.example.workers.dev", "https://reconsync.example.workers.dev"],
    ["https://Reconsync.Example/interactions?x=1", "https://reconsync.example"],
    ["https://reconsync.example:8443/", "https://reconsync.example:8443"],
    ["http://127.0.0.1:8787", "http://127.0.0.1:8787"],
    ["http://127.1:8787/", "http://127.0.0.1:8787"],
    ["http://localhost:8787", "http://localhost:8787"],
    ["http://[::1]:8787", "http://[::1]:8787"],
  ])("%s becomes %s", (typed, origin) => {
    expect(controlPlaneOrigin(typed)).toBe(origin);
  });

  test.each([
    "http://reconsync.example",
    "http://192.168.0.2:8787",
    "http://localhost.evil.example",
    "http://127.0.0.1.evil.example",
    "http://0.0.0.0",
  ])("%s is refused, because it is not encrypted", (typed) => {
    expect(codeOf(typed)).toBe("https-required");
  });

  test.each([
    "",
    "reconsync.example",
    "ftp://reconsync.example",
    "file:///etc/passwd",
    "https://",
    "https://user:secret@reconsync.example",
  ])("%j is refused as no address", (typed) => {
    expect(codeOf(typed)).toBe("bad-url");
  });
});
