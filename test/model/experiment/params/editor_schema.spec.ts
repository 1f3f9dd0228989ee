/**
 * Tests model/experiment/params/editor_schema.ts and schemas/. What an editor makes of params.json and search.json: VS Code's own
 * language service for JSON completes, explains and checks.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { getLanguageService, TextDocument, type JSONSchema } from 'vscode-json-languageservice';
import { paramsEditorSchema } from '../../../../model/experiment/params/editor_schema';
import paramsFile from '../../../../schemas/params.schema.json';
import searchFile from '../../../../schemas/search.schema.json';

const root = join(__dirname, '..', '..', '..', '..');
const service = getLanguageService({
  // What `$schema` names.
  schemaRequestService: () => Promise.resolve(JSON.stringify(paramsFile)),
});
service.configure({
  validate: true,
  schemas: [
    { uri: 'https://params', fileMatch: ['params.json'], schema: paramsFile as unknown as JSONSchema },
    { uri: 'https://search', fileMatch: ['search.json'], schema: searchFile as unknown as JSONSchema },
  ],
});

/** A file whose text has a cursor, `|`. */
function opened(name: string, text: string) {
  const offset = text.indexOf('|');
  const document = TextDocument.create(`file:///${name}`, 'json', 1, text.replace('|', ''));
  return { document, json: service.parseJSONDocument(document), position: document.positionAt(Math.max(0, offset)) };
}

async function proposals(name: string, text: string): Promise<string[]> {
  const { document, json, position } = opened(name, text);
  const list = await service.doComplete(document, position, json);
  return list!.items.map(({ label }) => label);
}

async function explanation(name: string, text: string): Promise<string> {
  const { document, json, position } = opened(name, text);
  const hover = await service.doHover(document, position, json);
  return ([hover!.contents].flat() as string[]).join('\n');
}

async function complaints(name: string, text: string): Promise<string[]> {
  const { document, json } = opened(name, text);
  return (await service.doValidation(document, json)).map(({ message }) => message as string);
}

const whole = (more: object) =>
  JSON.stringify({ model_version: 'cnn_distill', learning_rate: 0.1, num_epochs: 1, ...more });

describe('params.schema.json', function () {
  this.timeout(60_000);

  it('is what the code says', () => {
    expect(paramsFile, '"npm run docs" writes it anew').to.deep.equal(JSON.parse(JSON.stringify(paramsEditorSchema())));
  });

  it('completes keys, names of methods and their options', async () => {
    expect(await proposals('params.json', '{ "me|" }')).to.include.members(['method', 'temperature', '$schema']);
    const methods = await proposals('params.json', '{ "method": "|" }');
    expect(methods).to.include.members(['"kd"', '"fitnet"']);
    expect(methods).not.to.include('"oh"');
    expect(await proposals('params.json', '{ "method": { "name": "at", "|" } }')).to.include('weight');
    expect(await proposals('params.json', '{ "dataset": { "name": "shapes", "|" } }')).to.include('seed');
  });

  it('explains keys and what they accept', async () => {
    expect(await explanation('params.json', '{ "al|pha": 0.5 }')).to.match(/Weight of the soft targets/);
    expect(await explanation('params.json', '{ "checkpoint_e|very": "5m" }')).to.match(/a length of time such as/);
  });

  it('accepts every params.json of experiments/', async () => {
    const names = readdirSync(join(root, 'experiments'), { recursive: true, encoding: 'utf8' });
    const files = names.filter((name) => /(^|[\\/])params\.json$/.test(name));
    expect(files.length).to.be.above(15);
    for (const file of files) {
      const text = readFileSync(join(root, 'experiments', file), 'utf8');
      expect(await complaints('params.json', text), file).to.deep.equal([]);
    }
  });

  it('accepts each form of a key, old names and paths', async () => {
    for (const more of [
      { $schema: '../schemas/params.schema.json' },
      { method: ['kd', { name: 'at', weight: 2 }], teacher: 'resnet20' },
      { method: 'oh', teacher: ['WRN16_4', { model: 'resnet20', checkpoint: 'a.pth' }, { onnx: 'a.onnx' }] },
      { method: { name: './mine.mts', anything: 3 }, model_version: 'nets/a.onnx', teacher: { logits: 'a.npy' } },
      { model_version: './net.mts', model_options: { width: 3 }, teacher: { model: './net.ts', checkpoint: 'a.pth' } },
      { schedule: { type: 'step', step_size: 3, gamma: 0.1 }, validation: 'test', class_weights: [1, 2] },
      { augmentation: ['crop', { name: 'cutout', length: 8 }, 'colour_jitter'], validation: 0.2 },
      { dataset: { name: 'folder', dir: 'a', labels: 'a.csv' } },
      { dataset: { name: 'folder', dir: 'a', labels: ['a.csv', 'b.csv'] } },
      { dataset: { name: 'folder', dir: 'a', labels: { file: 'a.csv', image: 'name' } } },
      { dataset: { name: 'folder', dir: 'a', labels: false, size: 32, resize: 36 } },
      { teacher: { onnx: 'a.onnx', classes: [310, 309], outputs: { pooled: 'pool', stage1: { value: 'a' } } } },
      { teacher: ['resnet20', { onnx: 'a.onnx', classes: 'names.txt', size: 64 }] },
    ]) {
      expect(await complaints('params.json', whole(more)), JSON.stringify(more)).to.deep.equal([]);
    }
  });

  it('marks what is wrong', async () => {
    for (const more of [
      { alhpa: 0.5 },
      { alpha: 1.5 },
      { method: 'kdd' },
      { method: { name: 'at', wieght: 3 } },
      { dataset: { name: 'shapes', trian: 3 } },
      { schedule: { type: 'step' } },
      { dataset: { name: 'folder', dir: 'a', labels: true } },
      { teacher: { onnx: 'a.onnx', classes: [-1] } },
    ]) {
      expect(await complaints('params.json', whole(more)), JSON.stringify(more)).not.to.deep.equal([]);
    }
  });
});

describe('search.schema.json in an editor', () => {
  it('completes, explains and checks', async () => {
    expect(await proposals('search.json', '{ "|" }')).to.include.members(['space', 'sampler', 'n_trials', '$schema']);
    expect(await proposals('search.json', '{ "sampler": "|" }')).to.include('"tpe"');
    expect(await explanation('search.json', '{ "sp|ace": {} }')).to.match(/^Search space: keys of params/);
    const space = { alpha: { low: 0.1, high: 1 } };
    expect(await complaints('search.json', JSON.stringify({ space, sampler: 'tpe' }))).to.deep.equal([]);
    expect(await complaints('search.json', JSON.stringify({ space, smapler: 'tpe' }))).to.have.length(1);
  });
});
