import { EventEmitter } from "node:events";
import type { ClientRequest } from "node:http";
import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { SocketMemory } from "./socket-memory.ts";

const PIECE_BYTES = 65_536;

function following(memory: SocketMemory): { request: EventEmitter; socket: EventEmitter } {
  const [request, socket] = [new EventEmitter(), new EventEmitter()];
  memory.follow(request as ClientRequest, socket as Socket);
  return { request, socket };
}

test("Pieces are freed once it is known that the client copies, and only while its request goes on", () => {
  const memory = new SocketMemory();
  const { request, socket } = following(memory);
  const pieces = Array.from({ length: 3 }, () => Buffer.alloc(PIECE_BYTES, 1));
  socket.emit("data", pieces[0]);
  memory.learn(Buffer.from(pieces[0] as Buffer));
  socket.emit("data", pieces[1]);
  request.emit("close");
  socket.emit("data", pieces[2]);
  expect(pieces.map(({ length }) => length)).toEqual([PIECE_BYTES, 0, PIECE_BYTES]);
});

test("Nothing is freed where the client gives out the pieces themselves", () => {
  const memory = new SocketMemory();
  const { socket } = following(memory);
  const pieces = Array.from({ length: 3 }, () => Buffer.alloc(PIECE_BYTES, 1));
  for (const piece of pieces) {
    socket.emit("data", piece);
    memory.learn(piece.subarray(100));
  }
  expect(pieces.map(({ length }) => length)).toEqual([PIECE_BYTES, PIECE_BYTES, PIECE_BYTES]);
});
