import type { ServerResponse } from 'node:http';
import type { WatchSink } from '../objects/watching.ts';
import type { Frozen } from '../store/object-store.ts';

/** A client that lets this much wait does not read; it can resume its watch later. */
const unreadLimit = 8 << 20;

/** Writes a watch's events to a response, one JSON document a line. */
export function openWatchSink(response: ServerResponse, show: (object: Frozen) => object): WatchSink {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache, private' });
  response.flushHeaders();
  return {
    show,
    send(type, object) {
      // What it has not read is let go with its connection.
      if (response.writableLength > unreadLimit) response.destroy();
      if (response.destroyed) return false;
      response.write(`${JSON.stringify({ type, object })}\n`);
      return true;
    },
    end: () => void response.end(),
  };
}
