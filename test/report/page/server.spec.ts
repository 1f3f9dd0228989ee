import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request, type IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { collectRuns } from '../../../report/collect/collect';
import { pageData, type PageData } from '../../../report/page/data';
import { servePage, type PageServer } from '../../../report/page/server';
import { rowsOf } from '../../../report/table/rows';
import { makeTable } from '../../../report/table/table';
import { finished, writeRun } from '../../helpers/runs';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

describe('servePage', () => {
  const empty = pageData(makeTable([]), 'experiments');
  let data: PageData;
  let reads: number;
  let server: PageServer;
  beforeEach(async () => {
    [data, reads] = [empty, 0];
    server = await servePage(() => {
      reads++;
      if (data.title === 'broken') throw new Error('p/params.json: cannot be read');
      return data;
    }, 0);
  });
  afterEach(() => server.close());

  const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    new Promise<Answer>((resolve, reject) => {
      const { port } = new URL(server.address);
      request({ host: '127.0.0.1', port, path, headers, method }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (part: string) => (body += part));
        response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }));
      })
        .on('error', reject)
        .end();
    });

  it('serves the page and its data, and tells whether they have changed', async () => {
    expect(server.address).to.match(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    const page = await ask('/');
    expect(page.status).to.equal(200);
    expect(page.headers['content-type']).to.equal('text/html; charset=utf-8');
    expect(page.body).to.match(/^<!doctype html>\n<html lang="en" data-live>/);
    const first = await ask('/data.json');
    expect(JSON.parse(first.body)).to.deep.equal(empty);
    const tag = { 'if-none-match': first.headers.etag! };
    expect(await ask('/data.json', tag)).to.include({ status: 304, body: '' });
    expect(reads).to.equal(1);
    data = { ...empty, runs: 1 };
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const second = await ask('/data.json', tag);
    expect(second.status).to.equal(200);
    expect(JSON.parse(second.body)).to.deep.equal(data);
  });

  it('serves nothing else', async () => {
    for (const path of [
      '/report.html',
      '/../package.json',
      '//',
      '/?x',
      '/data.json/',
      '/data.json?x',
      '/favicon.ico',
    ]) {
      expect((await ask(path)).status, path).to.equal(404);
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      expect((await ask('/', {}, method)).status, method).to.equal(405);
    }
    const head = await ask('/', {}, 'HEAD');
    expect([head.status, head.body]).to.deep.equal([200, '']);
  });

  it('refuses names of other hosts, and pages of other sites', async () => {
    const { port, host } = new URL(server.address);
    const refused: Record<string, string>[] = [
      { host: 'evil.example' },
      { host: `evil.example:${port}` },
      { host: '127.0.0.1' },
      { host: `127.0.0.1.evil.example:${port}` },
      { origin: 'http://evil.example' },
      { origin: 'null' },
      { origin: `https://${host}` },
      { origin: 'http://127.0.0.1:1' },
    ];
    for (const headers of refused) {
      for (const path of ['/', '/data.json']) {
        const { status, body } = await ask(path, headers);
        expect([status, body], JSON.stringify(headers)).to.deep.equal([
          403,
          'only pages of this address may read this',
        ]);
      }
    }
    const own: Record<string, string>[] = [{ host: `localhost:${port}` }, { origin: `http://${host}` }];
    for (const headers of own) {
      expect((await ask('/data.json', headers)).status).to.equal(200);
    }
    const { headers } = await ask('/data.json');
    expect(headers).to.include({ 'cross-origin-resource-policy': 'same-origin', 'x-content-type-options': 'nosniff' });
    expect(headers).not.to.have.property('access-control-allow-origin');
  });

  /** What comes back for bytes as they are, until the other side closes or has been silent for a while. */
  const raw = (text: string, host = '127.0.0.1') =>
    new Promise<string>((resolve, reject) => {
      let answer = '';
      const socket = connect(Number(new URL(server.address).port), host, () => socket.write(text));
      socket.setEncoding('latin1').on('data', (part: string) => {
        answer += part;
        // Answers without an end of the connection are known by their first line.
        if (answer.includes('\r\n\r\n')) socket.destroy();
      });
      socket.on('close', () => resolve(answer.split('\r\n')[0]!));
      socket.on('error', (error: NodeJS.ErrnoException) => (answer === '' ? reject(error) : resolve(answer)));
    });

  it('leaves its tree by no path, however that is written', async () => {
    const { host } = new URL(server.address);
    const paths = [
      '/../../../../etc/passwd',
      '/%2e%2e/%2e%2e/etc/passwd',
      '/..%2f..%2fetc%2fpasswd',
      '/%252e%252e/etc/passwd',
      '//etc/passwd',
      '/./data.json',
      '/data.json%00',
      '/data.json#',
      '\\..\\..\\etc\\passwd',
      'file:///etc/passwd',
      `http://${host}/data.json`,
      '*',
    ];
    for (const path of paths) {
      expect(await raw(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`), path).to.match(/^HTTP\/1\.1 40[04] /);
    }
    expect(await raw(`GET /data.json HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).to.equal('HTTP/1.1 200 OK');
  });

  it('answers what is no proper request in few words, and goes on', async () => {
    const { host } = new URL(server.address);
    const own = `Host: ${host}\r\n`;
    const cases: [request: string, answer: RegExp][] = [
      ['GET / HTTP/1.0\r\n\r\n', / 403 /],
      ['GET / HTTP/1.1\r\n\r\n', / 400 /],
      [`GET / HTTP/1.1\r\nHost: evil.example\r\n${own}\r\n`, / 40[03] /],
      [`GET / HTTP/1.1\r\nHost: ${host}.\r\n\r\n`, / 403 /],
      [`GET / HTTP/1.1\r\nHost: user@${host}\r\n\r\n`, / 403 /],
      [`GET / HTTP/1.1\r\n${own}Origin: http://evil.example\r\n\r\n`, / 403 /],
      [`GET / HTTP/1.1\r\n${own}X: ${'x'.repeat(100_000)}\r\n\r\n`, / 431 /],
      [`GET /${'x'.repeat(100_000)} HTTP/1.1\r\n${own}\r\n`, / 431 /],
      [`POST / HTTP/1.1\r\n${own}Content-Length: 1000000000000\r\n\r\nx`, / 405 /],
      [`POST / HTTP/1.1\r\n${own}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, / 400 /],
      [`TRACE / HTTP/1.1\r\n${own}\r\n`, / 405 /],
      [`CONNECT evil.example:80 HTTP/1.1\r\n${own}\r\n`, /^$/],
      [
        `GET / HTTP/1.1\r\n${own}Connection: Upgrade\r\nUpgrade: websocket\r\nOrigin: http://evil.example\r\n\r\n`,
        / 403 /,
      ],
      ['\x16\x03\x01\x02\0\x01\0\r\n\r\n', / 400 /],
      ['\0\0\0\0\r\n\r\n', / 400 /],
    ];
    for (const [request, answer] of cases) expect(await raw(request), request.slice(0, 80)).to.match(answer);
    expect((await ask('/data.json')).status).to.equal(200);
  });

  it('is reached by no other address of this machine', async () => {
    for (const host of ['127.0.0.2', '::1']) {
      const code = await raw('GET / HTTP/1.1\r\n\r\n', host).then(
        () => 'reached',
        (error: NodeJS.ErrnoException) => error.code,
      );
      expect(code, host).to.be.oneOf(['ECONNREFUSED', 'EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL']);
    }
  });

  it('has so many connections at a time, and further ones when these are closed', async () => {
    const port = Number(new URL(server.address).port);
    const sockets = Array.from({ length: 80 }, () => connect(port, '127.0.0.1'));
    const closed = (socket: Socket) => new Promise((resolve) => socket.on('error', resolve).on('close', resolve));
    const open = new Set(sockets);
    for (const socket of sockets) void closed(socket).then(() => open.delete(socket));
    while (open.size > 64) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(open.size).to.equal(64);
    for (const socket of open) socket.destroy();
    while (open.size > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    expect((await ask('/data.json')).status).to.equal(200);
  });

  it('tells nothing of files that links in the tree lead to', async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'served-'));
    try {
      writeFileSync(join(scratch, 'secret.json'), '{"secret": "of another file", "accuracy": 0.1234567}');
      const run = writeRun(join(scratch, 'tree', 'run'), finished({ alpha: 0.5 }, 0.5));
      mkdirSync(join(scratch, 'elsewhere', 'run'), { recursive: true });
      writeRun(join(scratch, 'elsewhere', 'run'), finished({ secret: 'of another folder' }, 0.6));
      symlinkSync(join(scratch, 'elsewhere'), join(scratch, 'tree', 'linked'));
      for (const name of ['params.json', 'run.json', 'metrics_val_best_weights.json']) {
        rmSync(join(run, name));
        symlinkSync(join(scratch, 'secret.json'), join(run, name));
      }
      const tree = join(scratch, 'tree');
      data = pageData(makeTable(rowsOf(collectRuns(tree))), tree);
      expect(data.runs).to.equal(1);
      for (const path of ['/', '/data.json']) {
        const { status, body } = await ask(path);
        expect(status).to.equal(200);
        expect(body).not.to.match(/of another|0\.12345/);
      }
    } finally {
      rmSync(scratch, { recursive: true });
    }
  });

  it('tells what is wrong with the files, and goes on', async () => {
    data = { ...empty, title: 'broken' };
    const answer = await ask('/data.json');
    expect([answer.status, answer.body]).to.deep.equal([503, 'p/params.json: cannot be read']);
    data = empty;
    expect((await ask('/data.json')).status).to.equal(200);
  });

  it('names a port that is taken', async () => {
    const port = Number(new URL(server.address).port);
    const message = await servePage(() => empty, port).then(
      () => 'listens',
      (error: Error) => error.message,
    );
    expect(message).to.match(new RegExp(`^--port: cannot listen on ${port}: .*EADDRINUSE`));
  });
});
