/** Pages in a headless browser: one that reports a result to the server that it came from, and one that a test works with. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Stream, Writable } from 'node:stream';

/** A file that the page may ask for. */
export interface ServedFile {
  readonly type: string;
  readonly content: Uint8Array | string;
}

// The pages are our own; without a user namespace of its own, as in a container, the sandbox cannot start.
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
];

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
  const child = spawn(browser, [...flags, `--user-data-dir=${profile}`, url], { stdio: 'ignore', detached: true });
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
  let timer: NodeJS.Timeout;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the page did not answer')), 30_000);
  });
  try {
    return await Promise.race([result, timeout]);
  } finally {
    clearTimeout(timer!);
    await end(child, closed, profile);
    server.closeAllConnections();
    server.close();
  }
}

async function end(child: ChildProcess, closed: Promise<void>, profile: string): Promise<void> {
  // The whole group: its helpers would go on writing into the profile.
  process.kill(-child.pid!, 'SIGKILL');
  await closed;
  rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
}

/** A page that a test works with, by the Chrome DevTools Protocol. */
export interface BrowserPage {
  /** What an expression, or the promise that it is, gives in the page. */
  evaluate<T>(expression: string): Promise<T>;
  /** Evaluates again and again until the result is truthy, and returns it. Throws after ten seconds. */
  waitFor<T>(expression: string): Promise<T>;
  /** Puts the pointer on a point of the window. */
  hover(x: number, y: number): Promise<void>;
  /** Presses a key, such as `Tab`. */
  press(key: string): Promise<void>;
  /** Any method of the protocol. */
  send<T = unknown>(method: string, params?: object): Promise<T>;
  /** Exceptions, and errors on the console. */
  readonly problems: readonly string[];
  /** Addresses that were asked for. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** Opens an address in a window of this size. */
export async function openPage(
  browser: string,
  url: string,
  [width, height]: readonly [number, number] = [1280, 900],
): Promise<BrowserPage> {
  const profile = mkdtempSync(join(tmpdir(), 'browser-'));
  const options = [...flags, `--user-data-dir=${profile}`, '--remote-debugging-pipe'];
  const child = spawn(browser, options, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'], detached: true });
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const [, , , output, input] = child.stdio as Stream[] as [Stream, Stream, Stream, Writable, Readable];
  const waiting = new Map<number, (message: Message) => void>();
  const problems: string[] = [];
  const requests: string[] = [];
  const onEvent = ({ method, params }: Message) => {
    const event = params as Record<string, unknown>;
    if (method === 'Network.requestWillBeSent') requests.push((event.request as { url: string }).url);
    if (method === 'Runtime.exceptionThrown') problems.push(JSON.stringify(event.exceptionDetails));
    if (method === 'Runtime.consoleAPICalled' && event.type === 'error') problems.push(JSON.stringify(event.args));
    if (method === 'Log.entryAdded' && (event.entry as { level: string }).level === 'error') {
      problems.push((event.entry as { text: string }).text);
    }
  };
  // Messages are JSON with a zero byte at the end.
  let rest = '';
  input.setEncoding('utf8').on('data', (part: string) => {
    const texts = (rest + part).split('\0');
    rest = texts.pop()!;
    for (const message of texts.map((text) => JSON.parse(text) as Message)) {
      if (message.id === undefined) onEvent(message);
      else waiting.get(message.id)?.(message);
    }
  });
  let count = 0;
  const command = <T>(method: string, params: object, sessionId?: string): Promise<T> =>
    new Promise((resolve, reject) => {
      const id = ++count;
      waiting.set(id, ({ error, result }) => {
        waiting.delete(id);
        if (error) reject(new Error(`${method}: ${error.message}`));
        else resolve(result as T);
      });
      output.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  const { targetId } = await command<{ targetId: string }>('Target.createTarget', { url: 'about:blank' });
  const attached = await command<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true });
  const send = <T>(method: string, params: object = {}) => command<T>(method, params, attached.sessionId);
  for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await send(`${domain}.enable`);
  await send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 600 });
  const evaluate = async <T>(expression: string): Promise<T> => {
    const answer = await send<{ result: { value: T }; exceptionDetails?: object }>('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (answer.exceptionDetails) throw new Error(`${expression}: ${JSON.stringify(answer.exceptionDetails)}`);
    return answer.result.value;
  };
  const page: BrowserPage = {
    evaluate,
    async waitFor<T>(expression: string) {
      for (let tries = 0; tries < 200; tries++) {
        const value = await evaluate<T>(expression);
        if (value) return value;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      throw new Error(`${expression} did not become true; ${problems.join('\n')}`);
    },
    async hover(x, y) {
      await send('Input.dispatchMouseEvent', { type: 'mouseMoved', x, y });
    },
    async press(key) {
      const text = key === 'Enter' ? '\r' : key === 'Space' ? ' ' : undefined;
      const event = { key: text === ' ' ? ' ' : key, code: key, ...(text && { text }) };
      const windowsVirtualKeyCode = { Tab: 9, Enter: 13, Space: 32, Escape: 27 }[key];
      for (const type of ['keyDown', 'keyUp']) {
        await send('Input.dispatchKeyEvent', { ...event, type, windowsVirtualKeyCode });
      }
    },
    send,
    problems,
    requests,
    close: () => end(child, closed, profile),
  };
  await send('Page.navigate', { url });
  await page.waitFor(`document.readyState === 'complete' && location.href !== 'about:blank'`);
  return page;
}
