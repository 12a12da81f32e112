import { describe, expect, test } from "vitest";
import { addressIn, workerReady } from "./address.ts";
import { INVITE_PERMISSIONS, inviteLink } from "./invite.ts";

describe("the invite link", () => {
  test("asks for five permissions and both scopes", () => {
    expect(INVITE_PERMISSIONS).toBe(1024n + 2048n + 16_384n + 32_768n + 65_536n);
    expect(inviteLink("123456789012345678")).toBe(
      "https://discord.com/oauth2/authorize?client_id=123456789012345678&scope=bot+applications.commands&permissions=117760",
    );
  });
});

describe("the Worker's address", () => {
  test("is the one on workers.dev, or else a custom domain; a route is none", () => {
    expect(addressIn(["schedule: 0 * * * *", "https://reconsync.basement.workers.dev"])).toBe("https://reconsync.basement.workers.dev");
    expect(addressIn(["backups.example.com (custom domain)"])).toBe("https://backups.example.com");
    expect(addressIn(["example.com/backups/* (zone name: example.com)"])).toBeUndefined();
    expect(addressIn([])).toBeUndefined();
  });

  test("that never answers is given up after a bounded time", async () => {
    let now = 0;
    const clock = {
      now: () => now,
      sleep: async (ms: number) => {
        now += ms;
      },
    };
    await expect(workerReady("http://127.0.0.1:9", clock)).rejects.toMatchObject({ code: "worker-silent" });
    expect(now).toBe(180_000);
  });
});
