import ipaddr from "ipaddr.js";

/** Pure rules of IP addresses: which a host may call from, and which count as one for rate limits. */

/** Addresses and ranges in the list of one host. */
export const ADDRESSES_MAX = 20;
/** Longest text in which they are typed: 20 of the longest, with room for commas and spaces. */
export const ADDRESSES_TEXT_MAX = 1000;
/** Whoever has an IPv6 address has at least this much of the network around it (RFC 6177). */
const IPV6_SITE_BITS = 64;
/** `::ffff:192.0.2.1` is 192.0.2.1 (RFC 4291, section 2.5.5.2). */
const MAPPED_BITS = 96;

type Address = ipaddr.IPv4 | ipaddr.IPv6;

export type AllowlistReading = { list: string[] } | { wrong: string } | { tooMany: number };

/** Reads addresses and ranges apart by commas or spaces. `wrong` is the first entry that is neither. */
export function readAllowlist(text: string): AllowlistReading {
  const list = new Set<string>();
  for (const entry of text.split(/[\s,;]+/).filter((part) => part !== "")) {
    const range = normalRange(entry);
    if (range === null) return { wrong: entry };
    list.add(range);
  }
  return list.size > ADDRESSES_MAX ? { tooMany: list.size } : { list: [...list] };
}

/** An address or range in its shortest form, `192.0.2.0/24` for `192.0.2.7/24`; null when it is neither. */
export function normalRange(entry: string): string | null {
  const [text = "", prefix, ...more] = entry.split("/");
  const address = plainAddress(text);
  if (address === null || more.length > 0) return null;
  const size = bitsOf(address);
  if (prefix === undefined) return unmapped(address).toString();
  if (!/^(?:0|[1-9]\d{0,2})$/.test(prefix) || Number(prefix) > size) return null;
  const bits = Number(prefix);
  const mapped = isMapped(address) && bits >= MAPPED_BITS;
  return rangeText(mapped ? unmapped(address) : address, mapped ? bits - MAPPED_BITS : bits);
}

/** Whether a host whose list this is may call from an address. An empty list holds every address; others hold none that is unknown. */
export function allowsAddress(list: readonly string[], address: string | null): boolean {
  if (list.length === 0) return true;
  const parsed = address === null ? null : plainAddress(address);
  if (parsed === null) return false;
  const from = unmapped(parsed);
  return list.some((entry) => {
    const [range, bits] = parseRange(entry);
    return range.kind() === from.kind() && from.match([range, bits] as [ipaddr.IPv4, number] & [ipaddr.IPv6, number]);
  });
}

/** What an address counts as for rate limits: an IPv6 address stands for its whole network. */
export function limitKey(address: string | null): string {
  const parsed = address === null ? null : plainAddress(address);
  if (parsed === null) return "unknown";
  const from = unmapped(parsed);
  return from.kind() === "ipv4" ? from.toString() : rangeText(from, IPV6_SITE_BITS);
}

/** Four decimal numbers, or IPv6 without a zone. ipaddr.js also knows `127.1`, octal and hexadecimal, which people type by mistake. */
function plainAddress(text: string): Address | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  return /^[0-9a-f:.]{2,45}$/i.test(text) && text.includes(":") && ipaddr.IPv6.isValid(text) ? ipaddr.IPv6.parse(text) : null;
}

function parseRange(entry: string): [Address, number] {
  const [text = "", bits] = entry.split("/");
  const address = ipaddr.parse(text);
  return [address, bits === undefined ? bitsOf(address) : Number(bits)];
}

function rangeText(address: Address, bits: number): string {
  const cidr = `${address.toString()}/${bits}`;
  const network = address.kind() === "ipv4" ? ipaddr.IPv4.networkAddressFromCIDR(cidr) : ipaddr.IPv6.networkAddressFromCIDR(cidr);
  return bits === bitsOf(address) ? network.toString() : `${network.toString()}/${bits}`;
}

function bitsOf(address: Address): number {
  return address.kind() === "ipv4" ? 32 : 128;
}

function isMapped(address: Address): address is ipaddr.IPv6 {
  return address.kind() === "ipv6" && (address as ipaddr.IPv6).isIPv4MappedAddress();
}

function unmapped(address: Address): Address {
  return isMapped(address) ? address.toIPv4Address() : address;
}
