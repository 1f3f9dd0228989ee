/** report.html as a reader works with it, in a headless browser. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { collectRuns } from '../../../report/collect/collect';
import { pageData } from '../../../report/page/data';
import { toHtml } from '../../../report/page/html';
import { servePage } from '../../../report/page/server';
import { rowsOf } from '../../../report/table/rows';
import { makeTable } from '../../../report/table/table';
import { findBrowser, openPage, type BrowserPage } from '../../helpers/browser';
import { finished, writeRun, writeSeen } from '../../helpers/runs';

const nasty = '<img src=x onerror=globalThis.hacked=1>';

describe('report.html in a browser', function () {
  this.timeout(60_000);
  const browser = findBrowser();
  let parent: string;
  let page: BrowserPage | undefined;

  before(function () {
    if (browser === undefined) this.skip();
  });
  beforeEach(() => (parent = mkdtempSync(join(tmpdir(), 'report-'))));
  afterEach(async () => {
    await page?.close();
    page = undefined;
    rmSync(parent, { recursive: true, force: true });
  });

  /** Three alphas, two temperatures, two seeds each; the larger their product, the better. */
  function writeSearch(): void {
    for (const alpha of [0.1, 0.5, 0.9]) {
      for (const temperature of [2, 10]) {
        for (const seed of [1, 2]) {
          const params = { alpha, temperature, seed };
          const accuracy = 0.5 + (alpha * temperature + seed) / 100;
          writeRun(join(parent, `alpha_${alpha}_T_${temperature}/${seed}`), finished(params, accuracy, 5));
        }
      }
    }
  }

  async function open(size?: readonly [number, number]): Promise<BrowserPage> {
    const path = join(parent, 'report.html');
    writeFileSync(path, toHtml(makeTable(rowsOf(collectRuns(parent))), undefined, parent));
    page = await openPage(browser!, pathToFileURL(path).href, size);
    return page;
  }

  const texts = (selector: string) =>
    page!.evaluate<string[]>(
      `[...document.querySelectorAll(${JSON.stringify(selector)})].map((one) => one.innerText ?? one.textContent)`,
    );
  const directories = () => texts('#results tbody th');
  const header = (name: string) =>
    `[...document.querySelectorAll('thead button')].find((one) => one.firstChild.data === ${JSON.stringify(name)})`;
  const filter = (query: string) =>
    page!.evaluate(`{
      const input = document.getElementById('filter');
      input.value = ${JSON.stringify(query)};
      input.dispatchEvent(new Event('input'));
    }`);
  /** Puts the pointer on the middle of an element and returns what the box says. */
  async function hover(element: string): Promise<string> {
    await page!.evaluate(`${element}.scrollIntoView({ block: 'center', behavior: 'instant' })`);
    const [x, y] = await page!.evaluate<[number, number]>(`(() => {
      const { left, top, width, height } = ${element}.getBoundingClientRect();
      return [left + width / 2, top + height / 2];
    })()`);
    await page!.hover(x - 3, y);
    await page!.hover(x, y);
    return page!.waitFor<string>(
      `!document.getElementById('tooltip').hidden && document.getElementById('tooltip').innerText`,
    );
  }

  it('opens from disk, asks for nothing, and shows every row', async () => {
    writeSearch();
    const { problems, requests } = await open();
    expect(await directories()).to.deep.equal(
      [0.1, 0.5, 0.9].flatMap((a) => [`alpha_${a}_T_2/*`, `alpha_${a}_T_10/*`]),
    );
    expect(await texts('#results tbody td.best')).to.deep.equal(['0.5950 ± 0.0071 (2)']);
    expect(await texts('.summary')).to.deep.equal([
      '12 runs in 6 rows. Best val_accuracy 0.5950 ± 0.0071 (2) of alpha_0.9_T_10/*.',
    ]);
    await page!.waitFor(`document.querySelectorAll('#curves figure:not([hidden]) svg').length >= 2`);
    expect(requests.filter((address) => !address.startsWith('data:'))).to.deep.equal([
      pathToFileURL(join(parent, 'report.html')).href,
    ]);
    expect(problems).to.deep.equal([]);
  });

  it('sorts by a column, by pointer and keyboard', async () => {
    writeSearch();
    await open();
    await page!.evaluate(`${header('test_accuracy')}.click()`);
    const best = ['alpha_0.9_T_10/*', 'alpha_0.5_T_10/*', 'alpha_0.9_T_2/*'];
    // 0.1 · 10 and 0.5 · 2 are the same: they keep the order of the file.
    const worst = ['alpha_0.1_T_10/*', 'alpha_0.5_T_2/*', 'alpha_0.1_T_2/*'];
    expect(await directories()).to.deep.equal([...best, ...worst]);
    expect(await page!.evaluate(`document.activeElement.closest('th').ariaSort`)).to.equal('descending');
    await page!.press('Enter');
    expect((await directories())[0]).to.equal('alpha_0.1_T_2/*');
    expect(await page!.evaluate(`document.activeElement.closest('th').ariaSort`)).to.equal('ascending');
    await page!.press('Enter');
    expect((await directories())[1]).to.equal('alpha_0.1_T_10/*');
    expect(page!.problems).to.deep.equal([]);
  });

  it('filters by words, comparisons and status', async () => {
    writeSearch();
    writeFileSync(join(writeRun(join(parent, 'bad'), finished({}, 0.5)), 'metrics_test_best_weights.json'), '{');
    await open();
    await filter('alpha>0.4 temperature=10');
    expect(await directories()).to.deep.equal(['alpha_0.5_T_10/*', 'alpha_0.9_T_10/*']);
    expect(await texts('.count')).to.deep.equal(['2 rows of 7.']);
    expect(await texts('.legend li')).to.deep.equal([
      'alpha_0.9_T_10/*\n0.5950 ± 0.0071 (2)',
      'alpha_0.5_T_10/*\n0.5550 ± 0.0071 (2)',
    ]);
    await filter('');
    await page!.evaluate(`document.querySelector('.chip[data-status=finished]').click()`);
    expect(await directories()).to.deep.equal(['bad']);
    expect((await texts('#failures tbody tr'))[0]).to.match(
      /^bad\s+broken\s+metrics_test_best_weights\.json: not valid JSON/,
    );
    expect(page!.problems).to.deep.equal([]);
  });

  it('draws what the data say, tells it under the pointer, and follows the choices', async () => {
    writeSearch();
    await open();
    await page!.evaluate(`document.getElementById('heatmap').scrollIntoView({ behavior: 'instant' })`);
    await page!.waitFor(`document.querySelectorAll('#heatmap .mark-rect.role-mark path').length === 6`);
    // Rows of the picture from above: temperature 10, then 2.
    expect((await texts('#heatmap .mark-text.role-mark text')).sort()).to.deep.equal([
      '0.507',
      '0.515',
      '0.515',
      '0.523',
      '0.555',
      '0.595',
    ]);
    const cell = `[...document.querySelectorAll('#heatmap .mark-rect.role-mark path')].at(-1)`;
    expect(await hover(cell)).to.equal('alpha\n0.9\ntemperature\n10\nval_accuracy\n0.595\nrows\n1');
    await page!.evaluate(`{
      const select = document.querySelector('header select');
      select.value = 'test_accuracy';
      select.dispatchEvent(new Event('change'));
    }`);
    await page!.waitFor(`document.getElementById('heatmap').textContent.includes('0.605')`);
    expect(await texts('.summary strong')).to.deep.equal(['0.6050 ± 0.0071 (2)', 'alpha_0.9_T_10/*']);

    await page!.evaluate(`document.querySelector('#results tbody input').click()`);
    expect(await texts('.legend li')).to.deep.equal(['alpha_0.1_T_2/*\n0.5170 ± 0.0071 (2)']);
    await page!.evaluate(`document.getElementById('curves').scrollIntoView({ behavior: 'instant' })`);
    const points = `#figure-accuracy .mark-symbol.role-mark path`;
    await page!.waitFor(`document.querySelectorAll('${points}').length === 5`);
    const last = await hover(`[...document.querySelectorAll('${points}')].at(-1)`);
    expect(last).to.equal('row\nalpha_0.1_T_2/*\nepoch\n5\naccuracy\n0.507 ± 0.0071');
    expect(page!.problems).to.deep.equal([]);
  });

  it('shows names and values from files as text', async () => {
    writeRun(join(parent, nasty), finished({ teacher: `</script>${nasty}`, [nasty]: 1, alpha: 1 }, 0.7));
    writeRun(join(parent, 'b'), finished({ teacher: '{"signal":"width"}', [nasty]: 2, alpha: 2 }, 0.8));
    await open();
    expect(await directories()).to.deep.equal([nasty, 'b']);
    for (const id of ['curves', 'heatmap', 'parallel', 'environment']) {
      await page!.evaluate(`document.getElementById('${id}').scrollIntoView({ behavior: 'instant' })`);
      await page!.waitFor(`document.querySelector('#${id} svg, #${id} dl')`);
    }
    expect(await page!.evaluate(`document.querySelector('.legend').textContent`)).to.include(nasty);
    expect(await page!.evaluate(`document.querySelector('#parallel svg').textContent`)).to.include('</script><im');
    expect(await page!.evaluate(`document.images.length`)).to.equal(0);
    expect(await page!.evaluate(`globalThis.hacked ?? 'safe'`)).to.equal('safe');
    expect(page!.problems).to.deep.equal([]);
    // Even markup that got in would be without effect.
    await page!.evaluate(`{
      const script = document.createElement('script');
      script.textContent = 'globalThis.hacked = 1';
      document.body.append(script);
      const image = document.createElement('div');
      image.innerHTML = ${JSON.stringify(nasty)};
      document.body.append(image);
    }`);
    await page!.waitFor(`document.images.length === 1`);
    expect(await page!.evaluate(`globalThis.hacked ?? 'safe'`)).to.equal('safe');
    expect(page!.problems.join()).to.include('Content Security Policy');
  });

  it('shows as text whatever else a run says: errors, reasons, facts, metrics, classes, and its title', async () => {
    const outer = parent;
    parent = join(outer, nasty);
    const marked = (text: string) => `${nasty}${text}`;
    const tricky = `\\": globalThis.hacked = 1, "`;
    try {
      for (const [i, name] of ['a', 'b'].entries()) {
        const run = finished(
          { [tricky]: i, [`${tricky}${nasty}`]: [nasty, i], schedule: { [nasty]: i } },
          0.5 + i / 10,
        );
        const extra = { [marked('metric')]: 0.5, accuracy: 0.6 + i / 10, loss: 1, epoch: 3, selected_on: nasty };
        const facts = { ...run.run, [marked('fact')]: marked(name), seed: nasty };
        writeRun(join(parent, `${name} ${nasty}`), { ...run, val: extra, run: facts });
        const path = join(parent, `${name} ${nasty}`, 'export.json');
        writeFileSync(path, JSON.stringify({ float32: { latency: { batch_1: nasty } } }));
      }
      const broken = writeRun(join(parent, marked('broken')), finished({}, 0.5));
      writeFileSync(join(broken, 'run.json'), `{${nasty}`);
      writeFileSync(join(broken, 'metrics.jsonl'), `{"epoch": "${nasty}"}\n`);
      writeRun(join(parent, 'failed'), { params: { alpha: 1 } });
      const reason = marked('reason');
      const events = [{ event: 'failed', name: 'failed', repeat: 0, reason }];
      writeFileSync(join(parent, 'search.journal.jsonl'), events.map((event) => `${JSON.stringify(event)}\n`).join(''));
      await open();
      expect(await page!.evaluate('document.title')).to.include(nasty);
      const failures = (await texts('#failures tbody tr')).join('\n');
      expect(failures).to.include(marked('broken')).and.to.include(reason);
      expect((await texts('thead button')).join('\n')).to.include(marked('metric'));
      expect((await texts('#environment')).join('\n')).to.include(marked('fact'));
      await page!.evaluate(`document.getElementById('heatmap').scrollIntoView({ behavior: 'instant' })`);
      await page!.waitFor(`document.querySelector('#heatmap .mark-rect.role-mark path') !== null`);
      const tooltip = await hover(`document.querySelector('#heatmap .mark-rect.role-mark path')`);
      expect(tooltip).to.include(tricky);
      expect(await page!.evaluate(`[document.images.length, globalThis.hacked ?? 'safe'].join()`)).to.equal('0,safe');
      expect(page!.problems).to.deep.equal([]);
    } finally {
      parent = outer;
    }
  });

  it('fits a phone, in the dark, with one run and with none', async () => {
    writeRun(join(parent, 'only'), finished({ alpha: 0.5 }, 0.7));
    await open([390, 800]);
    await page!.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: 'dark' }] });
    expect(await page!.evaluate(`getComputedStyle(document.body).backgroundColor`)).to.equal('rgb(22, 26, 31)');
    expect(await page!.evaluate(`document.documentElement.scrollWidth`)).to.equal(390);
    expect(await texts('.count')).to.deep.equal(['1 row, 1 run.']);
    await page!.evaluate(`document.getElementById('curves').scrollIntoView({ behavior: 'instant' })`);
    await page!.waitFor(`document.querySelector('#figure-loss svg')`);
    expect(page!.problems).to.deep.equal([]);
    await page!.close();
    rmSync(join(parent, 'only'), { recursive: true });
    await open([390, 800]);
    expect(await texts('.count')).to.deep.equal(['No run has results yet.']);
    expect(page!.problems).to.deep.equal([]);
  });

  it('stays quick with 1,000 rows: it draws a part of them, and charts when they are in sight', async () => {
    for (let i = 0; i < 1000; i++)
      writeRun(join(parent, `trial_${i}`), finished({ alpha: i / 1000, temperature: i % 7 }, 0.5));
    await open();
    expect(await directories()).to.have.lengthOf(100);
    expect(await texts('.count')).to.deep.equal(['1,000 rows, 1,000 runs. Showing the first 100. Show 400 more']);
    expect(await page!.evaluate(`document.querySelectorAll('#parallel svg').length`)).to.equal(0);
    await page!.evaluate(`document.querySelector('.count button').click()`);
    expect(await directories()).to.have.lengthOf(500);
    await filter('trial_99');
    expect(await directories()).to.have.lengthOf(11);
    await page!.evaluate(`document.getElementById('parallel').scrollIntoView({ behavior: 'instant' })`);
    await page!.waitFor(`document.querySelector('#parallel svg')`);
    expect(page!.problems).to.deep.equal([]);
  });

  it('draws every chart before it is printed', async () => {
    for (let i = 0; i < 6; i++)
      writeRun(join(parent, `trial_${i}`), finished({ alpha: i / 10, temperature: i % 3 }, 0.5 + i / 20));
    await open();
    const drawn = `[...document.querySelectorAll('figure')].filter((one) => one.clientWidth > 0).map((one) => one.querySelectorAll('.chart svg, .chart .empty').length)`;
    expect(await page!.evaluate(drawn)).to.include(0);
    await page!.evaluate(`dispatchEvent(new Event('beforeprint'))`);
    const counts = await page!.evaluate<number[]>(drawn);
    expect(counts).to.have.lengthOf.above(5);
    expect(counts.every((count) => count === 1)).to.equal(true);
    expect(page!.problems).to.deep.equal([]);
  });

  /** A student alone and a distilled one on eight test images, and a search around them. */
  function writePredicted(): void {
    writeSearch();
    const labels = [0, 0, 0, 0, 1, 1, 1, 1];
    const alone = writeRun(join(parent, 'alone'), finished({ teacher: 'none', method: 'nokd' }, 0.6));
    writeSeen(alone, { labels, student: [0, 1, 1, 0, 1, 1, 0, 1] });
    const distilled = writeRun(join(parent, 'distilled'), finished({ teacher: 'resnet20', method: 'kd' }, 0.9));
    const confidences = [0.9, 0.9, 0.9, 0.9, 0.6, 0.6, 0.6, 0.6];
    writeSeen(distilled, { labels, student: [0, 0, 1, 1, 1, 1, 1, 1], teacher: [0, 0, 0, 1, 1, 1, 1, 0], confidences });
  }

  it('shows what two runs and the teacher take the test images for', async () => {
    writePredicted();
    await open();
    const rows = () => texts('#predictions tbody tr');
    expect(await rows()).to.deep.equal(['dog\t4\t0.7500\t1.0000\t+0.2500', 'cat\t4\t0.5000\t0.5000\t+0.0000']);
    const remarks = (await texts('#predictions .remark')).join('\n');
    expect(remarks).to.include(
      'alone, the best run without a teacher, distilled, the best one with a teacher, and its teacher differ on 5 of 8 ' +
        'test images, of which 5 are shown. Of all 8 test images, only the distilled student gets 2 right, and only the ' +
        'other one 1.',
    );
    const examples = (await texts('#predictions .examples li')).map((text) => text.replace(/\s+/g, ' '));
    expect(examples).to.deep.equal([
      'cat alone ✗ wrong: dog 75 % distilled ✓ right: cat 90 % teacher ✓ right: cat 88 %',
      'dog alone ✗ wrong: cat 75 % distilled ✓ right: dog 60 % teacher ✓ right: dog 88 %',
      'dog alone ✓ right: dog 75 % distilled ✓ right: dog 60 % teacher ✗ wrong: cat 88 %',
      'cat alone ✓ right: cat 75 % distilled ✗ wrong: dog 90 % teacher ✗ wrong: dog 88 %',
      'cat alone ✗ wrong: dog 75 % distilled ✗ wrong: dog 90 % teacher ✓ right: cat 88 %',
    ]);
    expect(await page!.evaluate(`[...document.images].map((one) => [one.naturalWidth, one.alt])`)).to.deep.equal(
      [1, 6, 7, 3, 2].map((index) => [2, `Test image ${index}`]),
    );
    await page!.evaluate(`document.getElementById('predictions').scrollIntoView({ behavior: 'instant' })`);
    // ECE: the first four have 0.9 and are half right, the others have 0.6 and are all right.
    await page!.waitFor(`document.querySelectorAll('#predictions .chart svg').length >= 2`);
    expect(await texts('#predictions figcaption span')).to.include.members([
      'alone: calibration error 0.1250',
      'distilled: calibration error 0.4000',
    ]);
    await page!.evaluate(`{
      const select = document.querySelector('#predictions select');
      select.value = 'distilled';
      select.dispatchEvent(new Event('change'));
    }`);
    expect((await rows())[0]).to.equal('cat\t4\t0.5000\t0.5000\t+0.0000');
    expect(page!.problems).to.deep.equal([]);
  });

  it('has nothing that axe-core finds, light and dark', async () => {
    writePredicted();
    writeFileSync(join(writeRun(join(parent, 'bad'), finished({}, 0.5)), 'metrics_test_best_weights.json'), '{');
    await open();
    await page!.evaluate(readFileSync(require.resolve('axe-core'), 'utf8'));
    await page!.evaluate(`document.querySelector('.menu').open = true`);
    await page!.evaluate(`dispatchEvent(new Event('beforeprint'))`);
    await page!.waitFor(
      `[...document.querySelectorAll('figure')].every((one) => one.clientWidth === 0 || one.querySelector('.chart svg, .chart .empty'))`,
    );
    for (const scheme of ['light', 'dark']) {
      await page!.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
      const found = await page!.evaluate<
        string[]
      >(`axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) =>
        nodes.map(({ html, failureSummary }) => id + ': ' + html.slice(0, 200) + failureSummary)))`);
      expect(found, scheme).to.deep.equal([]);
    }
    expect(page!.problems).to.deep.equal([]);
  });

  it('follows a search that --watch serves', async () => {
    const read = () => pageData(makeTable(rowsOf(collectRuns(parent))), parent);
    const server = await servePage(read, 0);
    try {
      page = await openPage(browser!, server.address);
      expect(await texts('.count')).to.deep.equal(['No run has results yet.']);
      writeSearch();
      await page.waitFor(`document.querySelectorAll('#results tbody tr').length === 6`);
      await page.waitFor(`document.querySelector('.legend').children.length === 6`);
      expect(await texts('.live')).to.deep.equal(['live']);
      expect(page.problems).to.deep.equal([]);
      const own = page.requests.filter((address) => !address.startsWith('data:'));
      expect(new Set(own)).to.deep.equal(new Set([server.address, `${server.address}data.json`]));
    } finally {
      await server.close();
    }
    await page.waitFor(`document.querySelector('.live').textContent === 'no connection'`);
  });
});
