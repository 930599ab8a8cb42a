export * from './types.ts';
export * from './errors.ts';
export { createSpdySession, type SpdySession, type SpdySessionOptions } from './streams/spdy-session.ts';
export type { SpdyStream } from './streams/spdy-stream.ts';
export { PortForwardError } from './streams/port-forward-stream.ts';
export { openTunnel } from './streams/tunnel.ts';
