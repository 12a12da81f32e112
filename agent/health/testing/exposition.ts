/** One line of values out of Prometheus's text format. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const COMMENT = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (NaN|[+-]Inf|-?[0-9.]+(?:e[+-]?[0-9]+)?)$`);
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(?:,|$)/y;

/** Reads Prometheus's text format 0.0.4 strictly. @throws Error at the first line that breaks a rule of it */
export function parseExposition(text: string): { types: Map<string, string>; samples: Sample[] } {
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  for (const row of text.slice(0, -1).split("\n")) {
    const comment = COMMENT.exec(row);
    if (comment !== null) {
      const [, kind, name = "", rest = ""] = comment;
      if (kind === "TYPE" && (types.has(name) || !/^(?:counter|gauge|histogram)$/.test(rest))) throw new Error(`odd type: ${row}`);
      if (kind === "TYPE") types.set(name, rest);
      continue;
    }
    const sample = SAMPLE.exec(row);
    if (sample === null) throw new Error(`odd line: ${row}`);
    const [, name = "", inner = "", value = ""] = sample;
    const base = types.has(name) ? name : name.replace(/_(?:bucket|sum|count)$/, "");
    if (!types.has(base)) throw new Error(`a value before its type: ${row}`);
    samples.push({ name, labels: labelsOf(inner, row), value: Number(value.replace("Inf", "Infinity")) });
  }
  const keys = samples.map(({ name, labels }) => JSON.stringify([name, Object.entries(labels).sort()]));
  if (new Set(keys).size !== keys.length) throw new Error("a series stands there twice");
  return { types, samples };
}

/** The value of one series, or undefined when it is not there. */
export function sampleOf(text: string, name: string, labels: Record<string, string> = {}): number | undefined {
  const fits = (sample: Sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value);
  const found = parseExposition(text).samples.filter(fits);
  if (found.length > 1) throw new Error(`${name} is there ${found.length} times: give more labels`);
  return found[0]?.value;
}

function labelsOf(inner: string, row: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < inner.length) {
    const found = LABEL.exec(inner);
    if (found === null) throw new Error(`odd labels: ${row}`);
    const [, name = "", value = ""] = found;
    labels[name] = value.replace(/\\([\\n"])/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
  }
  return labels;
}
