import { expect } from 'chai';
import { request, type IncomingHttpHeaders } from 'node:http';
import { pageData, type PageData } from '../../../report/page/data';
import { servePage, type PageServer } from '../../../report/page/server';
import { makeTable } from '../../../report/table';

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
        expect([status, body], JSON.stringify(headers)).to.deep.equal([403, 'only for pages of this address']);
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
    expect(message).to.match(new RegExp(`^--port: ${port} cannot be listened on: .*EADDRINUSE`));
  });
});
