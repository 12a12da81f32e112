import { ADDRESS_DEFAULT, type ConfigFile, HEALTH_PORT_DEFAULT, OTLP_SERVICE_NAME_DEFAULT } from "../../schemas/config.ts";
import type { HealthConfig, OtlpConfig } from "./host-config.ts";
import { Secret } from "./secret.ts";

const LOOPBACK = /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|\[::1\])$/;

/** Whether only programs of this host can reach an address. */
export function isLoopback(address: string): boolean {
  return LOOPBACK.test(address);
}

/** `health` as written, or undefined when it is off. */
export function resolveHealth(written: ConfigFile["health"]): HealthConfig | undefined {
  if (written === false) return undefined;
  return { address: written?.address ?? ADDRESS_DEFAULT, port: written?.port ?? HEALTH_PORT_DEFAULT };
}

/**
 * `otlp` as written, or what OpenTelemetry's own variables say; undefined when neither does. `complain` hears of a variable that cannot
 * be used, `notice` of a secret that travels in the open.
 */
export function resolveOtlp(
  written: ConfigFile["otlp"],
  env: NodeJS.ProcessEnv,
  { complain, notice }: { complain: (message: string) => void; notice: (message: string) => void },
): OtlpConfig | undefined {
  if (written === false) return undefined;
  const found = written === undefined ? ofEnvironment(env, complain) : written;
  if (found === undefined) return undefined;
  const { endpoint, headers = {}, service_name: serviceName } = found;
  const url = new URL(endpoint);
  if (url.protocol === "http:" && !isLoopback(url.hostname) && Object.keys(headers).length > 0) {
    notice(`The headers of otlp go to ${url.origin} unencrypted. Use https://, or a collector on this host.`);
  }
  return {
    endpoint: endpoint.replace(/\/+$/, ""),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, new Secret(value)])),
    serviceName,
  };
}

interface Found {
  endpoint: string;
  headers?: Record<string, string>;
  service_name: string;
}

/** The OpenTelemetry specification's variables: an empty one counts as unset. */
function ofEnvironment(env: NodeJS.ProcessEnv, complain: (message: string) => void): Found | undefined {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_HEADERS: list, OTEL_SERVICE_NAME: name } = env;
  if (!endpoint) return undefined;
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "" || url.search !== "") {
    complain("OTEL_EXPORTER_OTLP_ENDPOINT is not a URL such as http://127.0.0.1:4318. Correct it, or set otlp here");
    return undefined;
  }
  const headers = headersOf(list ?? "");
  if (headers === undefined) {
    complain("OTEL_EXPORTER_OTLP_HEADERS is not a list such as name=value,name2=value2. Correct it, or set otlp here");
    return undefined;
  }
  return { endpoint, headers, service_name: name || OTLP_SERVICE_NAME_DEFAULT };
}

/** `name=value` pairs parted by commas, values percent-encoded, as in W3C Baggage. Undefined when it is something else. */
function headersOf(list: string): Record<string, string> | undefined {
  const headers: Record<string, string> = {};
  for (const pair of list.split(",").map((it) => it.trim())) {
    if (pair === "") continue;
    const [, name, value] = /^([A-Za-z0-9_-]{1,100})\s*=\s*(.{1,4096})$/.exec(pair) ?? [];
    if (name === undefined || value === undefined) return undefined;
    try {
      headers[name] = decodeURIComponent(value);
    } catch {
      return undefined;
    }
  }
  return headers;
}
