import type { Context } from "./context.ts";
import { cpuNanoseconds, descendants } from "./parts/cpu.ts";
import { Discord } from "./parts/discord.ts";
import { HttpAgent } from "./parts/http-agent.ts";
import { startWorker } from "./parts/worker.ts";
import { percentile } from "./percentiles.ts";
import type { Row } from "./row.ts";
import { row } from "./row.ts";

/** Of each kind. */
const SAMPLES = 300;
/** Samples at the start that do not count: code is compiled. */
const WARM_UP = 50;
const NANOSECONDS_PER_MS = 1_000_000;

/** What members do most. None of them waits for anybody. */
const KINDS: { name: string; make: (discord: Discord) => ReturnType<Discord["command"]> }[] = [
  { name: "/status", make: (discord) => discord.command("status", { server: "bench" }) },
  { name: "/backup list", make: (discord) => discord.command("backup list", { server: "bench" }) },
  { name: "/backup now, refused since one waits", make: (discord) => discord.command("backup now", { server: "bench" }) },
  { name: "completion of a server", make: (discord) => discord.completion("backup now", "server", "be") },
];

/**
 * CPU time that workerd spends on one interaction, all its threads together, against a bare Hono route that only checks the signature. Both run
 * in a workerd of their own and take turns.
 */
export async function measureInteractions({ folder, signal, say, atEnd }: Context): Promise<Row[]> {
  if (process.platform !== "linux") return [row("interactions: CPU time needs Linux's /proc", null, null, "skipped")];
  const discord = await Discord.start();
  atEnd(() => discord.stop());
  const started = async (entry: string) => {
    const before = await descendants("workerd");
    const worker = await startWorker({ entry, folder, discord: discord.settings });
    atEnd(() => worker.stop());
    const pids = (await descendants("workerd")).filter((pid) => !before.includes(pid));
    return { url: worker.url, pids };
  };
  const ours = await started("worker/index.ts");
  const bare = await started("bench/bare/worker.ts");
  const agent = await HttpAgent.enrolled(ours.url, await discord.run(ours.url, "agent register", { name: "Bench" }), "bench");
  await agent.poll(signal, 0);
  // Its host is gone now for all that follows: the backup waits, and nothing runs beside the samples.
  await discord.run(ours.url, "backup now", { server: "bench" });

  const spent = async ({ url, pids }: { url: string; pids: number[] }, request: ReturnType<Discord["command"]>) => {
    const sum = async () => (await Promise.all(pids.map(cpuNanoseconds))).reduce((total, one) => total + one, 0);
    const before = await sum();
    const response = await fetch(`${url}/interactions`, { ...request, signal });
    const text = await response.text();
    const after = await sum();
    if (!response.ok) throw new Error(`an interaction got ${response.status}: ${text}`);
    return (after - before) / NANOSECONDS_PER_MS;
  };
  const rows: Row[] = [];
  const all = { ours: [] as number[], bare: [] as number[] };
  for (const { name, make } of KINDS) {
    say(`${name}: ${SAMPLES} samples`);
    const samples = { ours: [] as number[], bare: [] as number[] };
    for (let index = -WARM_UP; index < SAMPLES; index += 1) {
      const one = await spent(ours, make(discord));
      const peer = await spent(bare, make(discord));
      if (index < 0) continue;
      samples.ours.push(one);
      samples.bare.push(peer);
    }
    all.ours.push(...samples.ours);
    all.bare.push(...samples.bare);
    rows.push(cpuRow(`${name}, p50`, samples, 50));
  }
  return [cpuRow("all four kinds, p50", all, 50), cpuRow("all four kinds, p99", all, 99), ...rows];
}

function cpuRow(what: string, samples: { ours: number[]; bare: number[] }, percent: number): Row {
  const name = `interactions: CPU of workerd for one, ${what} (peer: bare signature check)`;
  return row(name, percentile(samples.ours, percent), percentile(samples.bare, percent), "ms");
}
