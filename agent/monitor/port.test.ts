import { networkInterfaces } from "node:os";
import { describe, expect, test } from "vitest";
import { observePort, parseUdpTable, udpPortsOf } from "./port.ts";
import { startTcp, startUdp } from "./testing/parts.ts";
import { testServer } from "./testing/servers.ts";

describe("TCP", () => {
  test("a port that listens is open, and closed when it no longer does", async () => {
    const { port, close } = await startTcp();
    const server = testServer({ ports: { game: port } });
    expect(await observePort(server)).toEqual({ port: { number: port, protocol: "tcp", state: "open" }, problems: [] });
    await close();
    expect(await observePort(server)).toEqual({ port: { number: port, protocol: "tcp", state: "closed" }, problems: [] });
  });

  test("a host that does not exist is unknown, with the reason", async () => {
    const { port, problems } = await observePort(testServer({ address: "no-such-host.invalid", ports: { game: 4000 } }));
    expect(port.state).toBe("unknown");
    expect(problems).toEqual([expect.stringContaining("no-such-host.invalid:4000/tcp cannot be reached")]);
  });
});

describe("UDP", () => {
  test.each(["udp4", "udp6"] as const)("a bound %s socket is open, and closed when it is gone", async (type) => {
    const { port, close } = await startUdp(undefined, type);
    const server = testServer({ protocol: "udp", ports: { game: port } });
    expect(await observePort(server)).toEqual({ port: { number: port, protocol: "udp", state: "open" }, problems: [] });
    await close();
    expect((await observePort(server)).port.state).toBe("closed");
  });

  test("a socket that talks to one peer is no open port", async () => {
    const peer = await startUdp();
    const { port, socket } = await startUdp();
    await new Promise<void>((resolve) => socket.connect(peer.port, "127.0.0.1", resolve));
    expect((await observePort(testServer({ protocol: "udp", ports: { game: port } }))).port.state).toBe("closed");
  });

  test("an address of this host can be told, also by its name; another cannot", async () => {
    const { port } = await startUdp();
    const own = Object.values(networkInterfaces()).flatMap((it) => it?.map((entry) => entry.address) ?? [])[0] ?? "127.0.0.1";
    for (const address of [own, "localhost"]) {
      expect((await observePort(testServer({ protocol: "udp", address, ports: { game: port } }))).port.state).toBe("open");
    }
    for (const address of ["192.0.2.1", "no-such-host.invalid"]) {
      const { port: seen, problems } = await observePort(testServer({ protocol: "udp", address, ports: { game: port } }));
      expect(seen.state).toBe("unknown");
      expect(problems).toEqual([expect.stringContaining(`${address} is another`)]);
    }
  });
});

test("without a port nothing can be said", async () => {
  expect((await observePort(testServer())).port).toEqual({ state: "unknown" });
});

test("the kernel's table of UDP sockets", () => {
  const table = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  123: 0100007F:6CA5 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0 0
  124: 0100007F:0035 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 1 2 0 0
  125: 00000000000000000000000001000000:0400 00000000000000000000000000000000:0000 07 00000000:00000000 00:0 0 0 0 1 2 0 0
`;
  expect(parseUdpTable(table)).toEqual([27813, 1024]);
  expect(parseUdpTable("")).toEqual([]);
});

test("UDP sockets as systeminformation lists them on Windows", () => {
  expect(
    udpPortsOf([
      { protocol: "udp", localPort: "27015", peerPort: "*" },
      { protocol: "tcp", localPort: "27016", peerPort: "0" },
      { protocol: "udp", localPort: "5000", peerPort: "53" },
      { protocol: "udp6", localPort: "5001", peerPort: "0" },
    ]),
  ).toEqual([27015, 5001]);
});
