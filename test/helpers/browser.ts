/** A page in a headless browser, which reports a result to the server that it came from. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A file that the page may ask for. */
export interface ServedFile {
  readonly type: string;
  readonly content: Uint8Array | string;
}

/** The command of an installed Chromium or Chrome, undefined where there is none. */
export function findBrowser(): string | undefined {
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  return names.find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0);
}

/**
 * Serves `files` by path on 127.0.0.1, opens `/` in the browser, and returns what the page posts to `/result`. Rejects if
 * it takes longer than half a minute.
 */
export async function resultOfPage(browser: string, files: ReadonlyMap<string, ServedFile>): Promise<string> {
  const profile = mkdtempSync(join(tmpdir(), 'browser-'));
  let report: (result: string) => void;
  const result = new Promise<string>((resolve) => (report = resolve));
  const server = createServer((request, response) => {
    if (request.method === 'POST' && request.url === '/result') {
      let body = '';
      request.setEncoding('utf8').on('data', (part: string) => (body += part));
      request.on('end', () => {
        response.end();
        report(body);
      });
      return;
    }
    const file = files.get(request.url ?? '');
    response.writeHead(file ? 200 : 404, { 'content-type': file?.type ?? 'text/plain' }).end(file?.content);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  // The page is our own; without a user namespace of its own, as in a container, the sandbox cannot start.
  const flags = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    `--user-data-dir=${profile}`,
  ];
  const child = spawn(browser, [...flags, url], { stdio: 'ignore', detached: true });
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
  let timer: NodeJS.Timeout;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the page did not answer')), 30_000);
  });
  try {
    return await Promise.race([result, timeout]);
  } finally {
    clearTimeout(timer!);
    // The whole group: its helpers would go on writing into the profile.
    process.kill(-child.pid!, 'SIGKILL');
    await closed;
    server.closeAllConnections();
    server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}
