import { createHash } from 'node:crypto';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { create, type WriteEntry } from 'tar';
import { fetchDataset, type DownloadProgress, type Source } from '../../../../model/data/files/download';
import { cifar10Source, loadCifar10 } from '../../../../model/data/sets/cifar10';
import { UserError } from '../../../../utils/errors';
import { writeFakeCifar10 } from '../fakeCifar10';

/** The archive of CIFAR-10 from elsewhere. */
function fetchCifar10(
  dir: string,
  { onProgress, ...file }: { url: string; md5: string; onProgress?: DownloadProgress },
): Promise<void> {
  const source: Source = { ...cifar10Source, files: [{ ...cifar10Source.files[0]!, ...file }] };
  return fetchDataset(dir, source, onProgress);
}

describe('fetchDataset', () => {
  let root: string;
  let archive: Buffer;
  let md5: string;
  let server: Server;
  let url: string;
  let answer: RequestListener;

  before(async () => {
    const source = mkdtempSync(join(tmpdir(), 'archive-'));
    const folder = join(source, 'cifar-10-batches-bin');
    writeFakeCifar10(folder);
    for (const name of ['readme.html', 'upwards', 'elsewhere', 'absolute']) writeFileSync(join(folder, name), name);
    // Links would have a file of the data set's be any other.
    symlinkSync('/etc/hostname', join(folder, 'data_batch_5.bin'));
    linkSync(join(folder, 'data_batch_1.bin'), join(folder, 'data_batch_6.bin'));
    symlinkSync(tmpdir(), join(folder, 'batches.meta.txt'));
    const file = join(source, 'archive.tar.gz');
    // Three of the entries pretend to lie outside the folder.
    const onWriteEntry = (entry: WriteEntry): void => {
      if (entry.path.endsWith('upwards')) entry.path = 'cifar-10-batches-bin/../../data_batch_3.bin';
      if (entry.path.endsWith('absolute')) entry.path = join(tmpdir(), 'cifar-10-batches-bin/data_batch_7.bin');
      if (entry.path.endsWith('elsewhere')) entry.path = 'elsewhere/data_batch_4.bin';
    };
    await create({ file, cwd: source, gzip: true, portable: true, onWriteEntry }, ['cifar-10-batches-bin']);
    archive = readFileSync(file);
    md5 = createHash('md5').update(archive).digest('hex');
    rmSync(source, { recursive: true });
    server = createServer((request, response) => answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/archive.tar.gz`;
  });
  after(() => server.close());

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'download-'));
    answer = (_, response) => response.setHeader('content-length', archive.length).end(archive);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  /** Expects one line that gives the reason and the remedy, and nothing left on disk. */
  async function expectFailure(options: { url: string; md5: string }, reason: string): Promise<void> {
    const dir = join(root, 'cifar');
    const error: unknown = await fetchCifar10(dir, options).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(UserError);
    const { message } = error as UserError;
    expect(message).to.match(
      /^.*cifar: not found, and the archive could not be downloaded \([^)].*\): put data_batch_.*$/,
    );
    expect(message).to.include(reason).and.to.include('set "data_dir"');
    expect(readdirSync(root)).to.deep.equal([]);
  }

  it('puts the data files and nothing else into the folder', async () => {
    const dir = join(root, 'new', 'cifar');
    await fetchCifar10(dir, { url, md5 });
    expect(readdirSync(dir).sort()).to.deep.equal(['data_batch_1.bin', 'data_batch_2.bin', 'test_batch.bin']);
    expect(readdirSync(root)).to.deep.equal(['new']);
    expect(readdirSync(join(root, 'new'))).to.deep.equal(['cifar']);
    expect(loadCifar10(dir).train.size).to.equal(35);
  });

  it('reports bytes received of bytes in all', async () => {
    const seen: [number, number | undefined][] = [];
    await fetchCifar10(join(root, 'cifar'), { url, md5, onProgress: (...progress) => seen.push(progress) });
    expect(seen.at(-1)).to.deep.equal([archive.length, archive.length]);
    expect(seen.map(([received]) => received)).to.deep.equal(seen.map(([received]) => received).sort((a, b) => a - b));
  });

  it('leaves a folder alone that another process put there meanwhile', async () => {
    const dir = join(root, 'cifar');
    answer = (_, response) => {
      mkdirSync(dir);
      writeFileSync(join(dir, 'theirs'), '');
      response.end(archive);
    };
    await fetchCifar10(dir, { url, md5 });
    expect(readdirSync(dir)).to.deep.equal(['theirs']);
    expect(readdirSync(root)).to.deep.equal(['cifar']);
  });

  it('refuses an archive with another MD5', async () => {
    const expected = '0'.repeat(32);
    await expectFailure({ url, md5: expected }, `the archive has MD5 ${md5} instead of ${expected}`);
  });

  it('refuses an archive that is cut off on the way', async () => {
    answer = (_, response) => {
      response.setHeader('content-length', archive.length);
      response.write(archive.subarray(0, archive.length / 2), () => response.destroy());
    };
    await expectFailure({ url, md5 }, 'other side closed');
  });

  it('leaves nothing of an archive that breaks off as soon as it comes', async () => {
    answer = (_, response) => {
      response.setHeader('content-length', archive.length);
      response.write(archive.subarray(0, 1), () => response.destroy());
    };
    for (let attempt = 0; attempt < 100; attempt++) await expectFailure({ url, md5 }, 'other side closed');
  });

  it('refuses an archive that is cut off but has the expected MD5', async () => {
    const half = archive.subarray(0, archive.length / 2);
    answer = (_, response) => response.end(half);
    await expectFailure({ url, md5: createHash('md5').update(half).digest('hex') }, 'unexpected end of file');
  });

  it('tells of an error status', async () => {
    answer = (_, response) => response.writeHead(404).end();
    await expectFailure({ url, md5 }, `${url} answered 404 Not Found`);
  });

  it('tells why there is no connection', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    await expectFailure({ url: `http://127.0.0.1:${port}/`, md5 }, 'ECONNREFUSED');
  });

  describe('of several files', () => {
    const digest = (name: string, algorithm: string) => createHash(algorithm).update(name).digest('hex');
    const sourceOf = (second: string): Omit<Source, 'forms'> => ({
      files: [
        { url: `${new URL('a/one.npy', url).href}`, md5: digest('/a/one.npy', 'md5') },
        { url: `${new URL('a/two.npy', url).href}`, sha256: second },
      ],
      advice: 'put one.npy and two.npy there',
    });
    beforeEach(() => {
      answer = (request, response) => response.setHeader('content-length', request.url!.length).end(request.url);
    });

    it('puts all of them into the folder, and counts their bytes together', async () => {
      const seen: [number, number | undefined][] = [];
      const dir = join(root, 'arrays');
      await fetchDataset(dir, sourceOf(digest('/a/two.npy', 'sha256')), (...progress) => seen.push(progress));
      expect(readdirSync(dir)).to.deep.equal(['one.npy', 'two.npy']);
      expect(readFileSync(join(dir, 'two.npy'), 'utf8')).to.equal('/a/two.npy');
      expect(seen).to.deep.equal([
        [10, 20],
        [20, 20],
      ]);
    });

    it('leaves nothing where the second has another SHA-256', async () => {
      const message: string = await fetchDataset(join(root, 'arrays'), sourceOf('0'.repeat(64))).then(
        () => '',
        (error: Error) => error.message,
      );
      expect(message).to.match(/the archive has SHA-256 \w{64} instead of 0{64}\): put one\.npy and two\.npy there$/);
      expect(readdirSync(root)).to.deep.equal([]);
    });
  });
});
