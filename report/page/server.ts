/**
 * Serves the page over HTTP on this machine only: no other machine can reach it, and no other site's pages can read it.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { messageOf, UserError } from '../../utils/errors';
import type { PageData } from './data';
import { jsonText, renderPage } from './html';

export interface PageServer {
  /** `http://127.0.0.1:<port>/` */
  readonly address: string;
  readonly close: () => Promise<void>;
}

const HOST = '127.0.0.1';

/** Requests consist of a line and some headers: slow clients and too many connections are closed. */
const limits = {
  headersTimeout: 10_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 16_384,
};
const MOST_CONNECTIONS = 64;

/** Minimum time between updates of the data, in addition to ten times their duration. */
const FRESH_MS = 1000;

/**
 * Serves `/`, the page, and `/data.json`, its current data, on 127.0.0.1. Refuses other methods (405), other paths
 * (404), and host names other than this machine's (403), which prevents DNS rebinding. Port 0 picks a free one. Throws
 * a UserError if the port is in use.
 */
export async function servePage(read: () => PageData, port: number): Promise<PageServer> {
  const latest = cached(read);
  const server = createServer(limits, (request, response) => {
    const { port: own } = server.address() as AddressInfo;
    try {
      answer(request, response, own, latest);
    } catch (error) {
      send(response, 503, messageOf(error));
    }
  });
  server.maxConnections = MOST_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new UserError(`--port: cannot listen on ${port}: ${messageOf(error)}`)));
    server.listen(port, HOST, resolve);
  });
  return {
    address: `http://${HOST}:${(server.address() as AddressInfo).port}/`,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function answer(
  { method, url, headers }: IncomingMessage,
  response: ServerResponse,
  port: number,
  latest: () => PageData,
) {
  const hosts = [`${HOST}:${port}`, `localhost:${port}`];
  const isOwn = hosts.includes(headers.host ?? '');
  const isOwnSite = headers.origin === undefined || hosts.some((host) => headers.origin === `http://${host}`);
  if (!isOwn || !isOwnSite) return send(response, 403, 'only pages of this address may read this');
  if (method !== 'GET' && method !== 'HEAD') return send(response, 405, 'only GET', { allow: 'GET, HEAD' });
  if (url === '/')
    return send(response, 200, renderPage(latest(), { live: true }), { 'content-type': 'text/html; charset=utf-8' });
  if (url !== '/data.json') return send(response, 404, 'not found');
  const text = jsonText(latest());
  const etag = `"${createHash('sha256').update(text).digest('hex').slice(0, 32)}"`;
  if (headers['if-none-match'] === etag) return send(response, 304, '', { etag });
  send(response, 200, text, { 'content-type': 'application/json', etag });
}

function send(response: ServerResponse, status: number, body: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'cross-origin-resource-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    ...headers,
  });
  response.end(body);
}

/** The result of `read`, cached for a while. */
function cached(read: () => PageData): () => PageData {
  let kept: { readonly data: PageData; readonly until: number } | undefined;
  return () => {
    const began = performance.now();
    if (kept && began < kept.until) return kept.data;
    const data = read();
    const now = performance.now();
    kept = { data, until: now + Math.max(FRESH_MS, 10 * (now - began)) };
    return data;
  };
}
