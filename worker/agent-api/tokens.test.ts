import { env, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { guildOf } from "../env.ts";
import type { Guild } from "../guild/guild.ts";
import { ASSERTIONS_MAX } from "../guild/hosts.ts";
import { run, snowflake, textOf } from "../testing/interactions.ts";
import { codeIn, enroll, newKeys, TestAgent } from "../testing/test-agent.ts";
import { CLOCK_SLACK_S, proofProblem, readAssertion } from "./assertion-rules.ts";

async function problemOf(response: Response): Promise<string> {
  const { code, message } = (await response.json()) as { code: string; message: string };
  return `${response.status} ${code}: ${message}`;
}

async function agentIn(guild = snowflake()): Promise<TestAgent> {
  return TestAgent.enrolled({ guild }, "Base");
}

describe("a client assertion", () => {
  it("is good once", async () => {
    const agent = await agentIn();
    const assertion = await agent.assertion();
    expect((await agent.tokenResponse(assertion)).status).toBe(200);
    expect(await problemOf(await agent.tokenResponse(assertion))).toContain("401 assertion-replayed");
    expect((await agent.tokenResponse(await agent.assertion())).status).toBe(200);
  });

  it("is good once when it comes many times at the same moment", async () => {
    const agent = await agentIn();
    const assertion = await agent.assertion();
    const answers = await Promise.all(Array.from({ length: 8 }, () => agent.tokenResponse(assertion)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array(7).fill(401)]);
  });

  it("is known by its id: the same id signed anew is used, another host's is not", async () => {
    const guild = snowflake();
    const [agent, other] = [await agentIn(guild), await TestAgent.enrolled({ guild }, "Other")];
    expect((await agent.tokenResponse(await agent.assertion({ jti: "one" }))).status).toBe(200);
    expect(await problemOf(await agent.tokenResponse(await agent.assertion({ jti: "one", exp: 4_000_000_000 })))).toContain("replayed");
    expect((await other.tokenResponse(await other.assertion({ jti: "one" }))).status).toBe(200);
  });

  it("outlives an eviction of the object, and costs its host one row", async () => {
    const guild = snowflake();
    const agent = await agentIn(guild);
    const assertion = await agent.assertion();
    await agent.tokenResponse(assertion);
    const rows = await inGuild(guild, (_, sql) => {
      const cursor = sql.exec("UPDATE hosts SET assertions_json = assertions_json, address = address WHERE id = ?", agent.host);
      return [cursor.rowsWritten, JSON.parse(String(sql.exec("SELECT assertions_json FROM hosts").one().assertions_json)).length];
    });
    // The one of the enrolment and this one.
    expect(rows).toEqual([1, 2]);
    expect(await problemOf(await agent.tokenResponse(assertion))).toContain("replayed");
  });

  it("is forgotten when it is no longer good, and refused for its age then", async () => {
    const guild = snowflake();
    const agent = await agentIn(guild);
    const assertion = await agent.assertion();
    await agent.tokenResponse(assertion);
    await inGuild(guild, (instance) => {
      instance.clock = { now: () => Date.now() + 122_000 };
    });
    expect(await problemOf(await agent.tokenResponse(assertion))).toContain("clock-skew");
    const later = Math.floor(Date.now() / 1000) + 122;
    expect((await agent.tokenResponse(await agent.assertion({ iat: later, exp: later + 60 }))).status).toBe(200);
    const kept = await inGuild(guild, (_, sql) => JSON.parse(String(sql.exec("SELECT assertions_json FROM hosts").one().assertions_json)));
    expect(kept).toHaveLength(1);
  });

  it(`is refused when ${ASSERTIONS_MAX} others of its host are good, since it could not be remembered`, async () => {
    const agent = await agentIn();
    const statuses: number[] = [];
    for (let index = 0; index < ASSERTIONS_MAX; index += 1) {
      // From elsewhere each time: an address has its own limit.
      agent.address = `2001:db8:ffff:${index}::1`;
      statuses.push((await agent.tokenResponse(await agent.assertion())).status);
    }
    // One was used at the enrolment.
    expect(statuses).toEqual([...Array(ASSERTIONS_MAX - 1).fill(200), 429]);
  });
});

describe("a clock that is wrong", () => {
  it.each([
    [400, "behind"],
    [-400, "ahead"],
  ])("by %i s is named with its direction and what to do", async (age, way) => {
    const agent = await agentIn();
    const said = await problemOf(await agent.tokenResponse(await agent.assertion({}, age)));
    expect(said).toMatch(new RegExp(`^401 clock-skew: The clock of this host is (399|400|401) s ${way}\\.`));
    expect(said).toContain("timedatectl set-ntp true");
  });

  it("is named at the enrolment too, and the code stays good", async () => {
    const code = codeIn(textOf(await run({ guild: snowflake() }, "agent register", { name: "Base" })));
    const keys = await newKeys();
    const iat = Math.floor(Date.now() / 1000) + 86_400;
    expect(await problemOf(await enroll(code, keys, { iat }))).toMatch(/401 clock-skew: .* (86,399|86,400) s ahead/);
    expect((await enroll(code, keys)).status).toBe(200);
  });

  it("is named only to whoever holds the key", async () => {
    const guild = snowflake();
    const [agent, other] = [await agentIn(guild), await TestAgent.enrolled({ guild }, "Other")];
    expect(await problemOf(await other.tokenResponse(await other.assertion({}, 400, { as: agent })))).toContain("401 assertion-invalid");
    const forged = (await agent.assertion({}, 400)).replace(/.$/, (last) => (last === "A" ? "Q" : "A"));
    expect(await problemOf(await agent.tokenResponse(forged))).toContain("401 assertion-invalid");
  });
});

describe("the rules of what a host signs", () => {
  const expected = { origin: "https://w.test", host: "host_0000000000000000" };
  const claims = { iss: expected.host, sub: expected.host, aud: "https://w.test/v1/token", jti: "1", iat: 1000, exp: 1060 };

  it("let a clock be off by a minute, either way", () => {
    const at = (nowS: number) => {
      const read = readAssertion(claims, expected, nowS);
      return "refused" in read ? read.refused : read.until;
    };
    expect([939, 940, 1000, 1119, 1120, 1121].map(at)).toEqual(["clock-skew", 1121, 1121, 1121, "assertion-invalid", "clock-skew"]);
    expect(1121 - (1000 - CLOCK_SLACK_S)).toBeLessThanOrEqual(181);
  });

  it("take every claim for what it is, and no other", () => {
    const wrong: Record<string, unknown[]> = {
      iss: [undefined, "host_1", 1],
      sub: [undefined, "host_1"],
      aud: [undefined, "https://w.test", [], ["https://x.test/v1/token"], 7],
      jti: [undefined, "", 1, "x".repeat(65), {}],
      iat: [undefined, "1000", Number.NaN, Number.POSITIVE_INFINITY, -5, null],
      exp: [undefined, "1060", null, Number.NaN],
    };
    for (const [name, values] of Object.entries(wrong)) {
      for (const value of values) {
        const read = readAssertion({ ...claims, [name]: value }, expected, 1000);
        expect("refused" in read && read.refused, `${name} ${String(value)}`).toBe("assertion-invalid");
      }
    }
    expect(readAssertion({ ...claims, aud: ["https://x.test", "https://w.test/v1/token"] }, expected, 1000)).toEqual({
      jti: "1",
      until: 1121,
    });
  });

  it("let nothing pass for a proof that does not say what is expected", () => {
    const proof = { aud: "https://w.test", code: "abc", iat: 1000 };
    const against = { origin: "https://w.test", code: "abc" };
    expect(proofProblem(proof, against, 1000)).toBeNull();
    for (const change of [{ aud: "https://x.test" }, { code: "abd" }, { code: undefined }, { iat: "1000" }, { iat: undefined }]) {
      expect(proofProblem({ ...proof, ...change }, against, 1000)?.refused).toBe("proof-invalid");
    }
    expect(proofProblem(proof, against, 1121)).toEqual({ refused: "clock-skew", params: { by: "121 s", way: "behind" } });
  });
});

function inGuild<T>(guild: string, act: (instance: Guild, sql: SqlStorage) => T): Promise<T> {
  return runInDurableObject<Guild, T>(guildOf(env, guild), (instance, state) => act(instance, state.storage.sql));
}
