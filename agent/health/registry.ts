/** What a metric is called and tells. Names and labels are written by us, never made of input. */
export interface MetricInfo {
  name: string;
  type: "counter" | "gauge" | "histogram";
  help: string;
  labels: readonly string[];
}

export type Labels<L extends string> = Readonly<Record<L, string>>;
/** One value and where it belongs. */
export type Row<L extends string> = Labels<L> & { value: number };

interface Metric {
  info: MetricInfo;
  lines(): string[];
}

/** `Content-Type` of what `render` answers. */
export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Metrics of one process, in Prometheus's text format 0.0.4. */
export class Registry {
  readonly #metrics = new Map<string, Metric>();

  get infos(): MetricInfo[] {
    return [...this.#metrics.values()].map(({ info }) => info);
  }

  /** Only goes up. Its name ends in `_total`. */
  counter<L extends string = never>(name: `${string}_total`, help: string, labels: readonly L[] = []): Counter<L> {
    return this.#add(new Counter<L>({ name, help, labels, type: "counter" }));
  }

  gauge<L extends string = never>(name: string, help: string, labels: readonly L[] = []): Gauge<L> {
    return this.#add(new Gauge<L>({ name, help, labels, type: "gauge" }));
  }

  /** A gauge or counter whose values are read when somebody asks. */
  read<L extends string = never>(info: Omit<MetricInfo, "labels"> & { labels?: readonly L[] }, rows: () => readonly Row<L>[]): void {
    const labels = info.labels ?? [];
    this.#add({ info: { ...info, labels }, lines: () => rows().map((row) => line(info.name, labels, row, row.value)) });
  }

  /** `buckets`: upper bounds, ascending. */
  histogram<L extends string = never>(name: string, help: string, buckets: readonly number[], labels: readonly L[] = []): Histogram<L> {
    return this.#add(new Histogram<L>({ name, help, labels, type: "histogram" }, buckets));
  }

  render(): string {
    const blocks = [...this.#metrics.values()].map(({ info: { name, help, type }, lines }) =>
      [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`, ...lines(), ""].join("\n"),
    );
    return blocks.join("");
  }

  #add<M extends Metric>(metric: M): M {
    const { name } = metric.info;
    if (this.#metrics.has(name)) throw new Error(`there is a metric ${name} already`);
    this.#metrics.set(name, metric);
    return metric;
  }
}

/** Values by their labels. */
class Series<L extends string, V> {
  readonly #labels: readonly L[];
  readonly #rows = new Map<string, { labels: Labels<L>; value: V }>();

  constructor(labels: readonly L[]) {
    this.#labels = labels;
  }

  /** The value of these labels; `fresh` makes it when there is none. */
  at(labels: Labels<L>, fresh: () => V): { value: V } {
    const key = this.#labels.map((name) => labels[name]).join("\0");
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = { labels, value: fresh() };
      this.#rows.set(key, row);
    }
    return row;
  }

  keep(wanted: (labels: Labels<L>) => boolean): void {
    for (const [key, { labels }] of this.#rows) if (!wanted(labels)) this.#rows.delete(key);
  }

  rows(): { labels: Labels<L>; value: V }[] {
    return [...this.#rows.values()];
  }
}

const zero = () => 0;

class Numbers<L extends string> implements Metric {
  readonly info: MetricInfo;
  protected readonly series: Series<L, number>;

  constructor(info: MetricInfo & { labels: readonly L[] }) {
    this.info = info;
    this.series = new Series(info.labels);
  }

  /** Forgets the series whose labels are not wanted any more. */
  keep(wanted: (labels: Labels<L>) => boolean): void {
    this.series.keep(wanted);
  }

  readonly lines = (): string[] => {
    const { name, labels: names } = this.info;
    return this.series.rows().map(({ labels, value }) => line(name, names, labels, value));
  };
}

export class Counter<L extends string = never> extends Numbers<L> {
  constructor(info: MetricInfo & { labels: readonly L[] }) {
    super(info);
    // Without labels there is one series, and it is there before anything has happened.
    if (info.labels.length === 0) this.series.at({} as Labels<L>, zero);
  }

  /** By 0, a series shows before anything has happened. */
  add(labels: Labels<L>, by = 1): void {
    this.series.at(labels, zero).value += by;
  }
}

/** A value that is not known yet is not there. */
export class Gauge<L extends string = never> extends Numbers<L> {
  set(labels: Labels<L>, value: number): void {
    this.series.at(labels, zero).value = value;
  }

  add(labels: Labels<L>, by: number): void {
    this.series.at(labels, zero).value += by;
  }
}

interface Observed {
  counts: number[];
  sum: number;
  count: number;
}

export class Histogram<L extends string = never> implements Metric {
  readonly info: MetricInfo;
  readonly #buckets: readonly number[];
  readonly #series: Series<L, Observed>;

  constructor(info: MetricInfo & { labels: readonly L[] }, buckets: readonly number[]) {
    this.info = info;
    this.#buckets = buckets;
    this.#series = new Series(info.labels);
  }

  observe(labels: Labels<L>, value: number): void {
    const { value: seen } = this.#series.at(labels, () => ({ counts: this.#buckets.map(zero), sum: 0, count: 0 }));
    const index = this.#buckets.findIndex((bound) => value <= bound);
    if (index >= 0) seen.counts[index] = (seen.counts[index] ?? 0) + 1;
    seen.sum += value;
    seen.count += 1;
  }

  readonly lines = (): string[] => {
    const { name, labels: names } = this.info;
    return this.#series.rows().flatMap(({ labels, value: { counts, sum, count } }) => {
      let below = 0;
      const bucket = (bound: number, total: number) => line(`${name}_bucket`, [...names, "le"], { ...labels, le: number(bound) }, total);
      return [
        ...this.#buckets.map((bound, index) => {
          below += counts[index] ?? 0;
          return bucket(bound, below);
        }),
        bucket(Number.POSITIVE_INFINITY, count),
        line(`${name}_sum`, names, labels, sum),
        line(`${name}_count`, names, labels, count),
      ];
    });
  };
}

function line(name: string, names: readonly string[], labels: Readonly<Record<string, string | number>>, value: number): string {
  const inner = names.map((label) => `${label}="${escapeValue(String(labels[label]))}"`).join(",");
  return `${name}${inner === "" ? "" : `{${inner}}`} ${number(value)}`;
}

/** As Go's ParseFloat reads it. */
function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return String(value);
}

const escapeHelp = (text: string) => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
const escapeValue = (text: string) => escapeHelp(text).replaceAll('"', '\\"');
