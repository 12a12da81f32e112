import { describe, expect, test } from "vitest";
import { newPrivateKey } from "../control-plane/assertion.ts";
import { temporaryState } from "../testing/fixtures.ts";
import type { Identity } from "./identity-table.ts";

const identity = (): Identity => ({
  origin: "https://reconsync.example",
  host: "host_0123456789abcdef" as Identity["host"],
  tenant: "12345678-abcdefgh",
  name: "Basement",
  privateKey: newPrivateKey(),
  enrolledAt: 1,
});

describe("the next key of an identity", () => {
  test("waits beside the one in use, takes its place once, and no other comes between", async () => {
    const { identity: table } = await temporaryState();
    const [enrolled, next, other] = [identity(), newPrivateKey(), newPrivateKey()];
    table.replace(enrolled);
    table.keepNext(enrolled.host, next);
    table.keepNext(enrolled.host, other);
    expect(table.get()).toEqual({ ...enrolled, nextKey: next });
    table.promoteNext(enrolled.host, other);
    expect(table.get()).toEqual({ ...enrolled, nextKey: next });
    table.promoteNext(enrolled.host, next);
    expect(table.get()).toEqual({ ...enrolled, privateKey: next });
    table.promoteNext(enrolled.host, next);
    expect(table.get()).toEqual({ ...enrolled, privateKey: next });
  });

  test("belongs to one host: an enrolment takes it away, and what another process still does with it comes to nothing", async () => {
    const { identity: table } = await temporaryState();
    const [first, next] = [identity(), newPrivateKey()];
    table.replace(first);
    table.keepNext(first.host, next);
    const second = { ...identity(), host: "host_fedcba9876543210" as Identity["host"] };
    table.replace(second);
    table.promoteNext(first.host, next);
    table.keepNext(first.host, next);
    expect(table.get()).toEqual(second);
  });
});
