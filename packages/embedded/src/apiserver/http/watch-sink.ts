import type { ServerResponse } from 'node:http';
import type { WatchSink } from '../objects/watching.ts';
import type { Frozen } from '../store/object-store.ts';

/** Writes a watch's events to a response, one JSON document a line. */
export function openWatchSink(response: ServerResponse, show: (object: Frozen) => object): WatchSink {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache, private' });
  response.flushHeaders();
  return {
    show,
    isReady: () => response.writable && !response.writableNeedDrain,
    onReady: (listener) => void response.on('drain', listener),
    send: (type, object) => void response.write(`${JSON.stringify({ type, object })}\n`),
    end: () => void response.end(),
  };
}
