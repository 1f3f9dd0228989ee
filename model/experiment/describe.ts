/** Describes a method: its options, its inputs, and what it trains in addition to the student. */
import { table, getBorderCharacters } from 'table';
import { sgd } from '../../engine/optimizers/index';
import { State } from '../../engine/session';
import { sizeOf } from '../../formats/ndarray';
import { currentName } from '../../utils/aliases';
import { UserError } from '../../utils/errors';
import { show } from '../../utils/json';
import { nearest } from '../../utils/nearest';
import { defaultExport, isModulePath } from '../../utils/own_module';
import { mistakes, type Schema } from '../../utils/schema';
import { counted, grouped } from '../../utils/words';
import { kinds, origins, type Origin } from '../distillers/catalogue';
import { costs, measuredOn } from '../distillers/costs';
import { frameworks, namesIn } from '../distillers/frameworks';
import { distillers, methodAliases, type Distiller } from '../distillers/index';
import { DISTILLER_PREFIX } from '../distillers/states';
import { nets } from '../nets/index';
import { evaluationGraph, outputShapes } from '../nets/model';
import { isNetModule } from '../nets/own_net';
import { phasesOf, StepBuilder, TEACHER_PREFIX } from '../training/step_graph';
import { networkInWords, sampleOf } from './describe_net';
import { loadMethod } from './own_methods';

/**
 * Lines for a terminal about the method `name`, or about the method or network in a module at this path, or, for "all", one about
 * each method, by kind. Throws a UserError for an unknown name.
 */
export function inWords(name: string): string {
  if (name === 'all') return allByKind();
  if (isModulePath(name)) {
    const isNet = isNetModule(defaultExport(name, 'describe', 'a method or a network'));
    return isNet ? networkInWords(name, SIDE).join('\n') : describeMethod(name, loadMethod(name));
  }
  const current = currentName(name, methodAliases);
  if (Object.hasOwn(distillers, current)) return describeMethod(current, distillers[current]!);
  const known = nearest(name, [...Object.keys(distillers), ...Object.keys(methodAliases)]);
  const advice = known === undefined ? '' : `did you mean ${currentName(known, methodAliases)}? `;
  throw new UserError(`--describe: there is no method ${show(name)}; ${advice}"all" lists every method`, 2);
}

/** A paragraph for each kind of methods, a line for each method: its name, year and venue, and what it does. */
function allByKind(): string {
  const rows = Object.entries(distillers).map(([name, { title }]) => {
    const { kind, year = '', venue = '' } = origins[name]!;
    return { kind, cells: [name, String(year), venue], title };
  });
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map(({ cells }) => cells[column]!.length)));
  const paragraphs = Object.entries(kinds).map(([kind, words]) => {
    const lines = rows
      .filter((row) => row.kind === kind)
      .map(({ cells, title }) => `  ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join('  ')}  ${title}`);
    return [`${kind}: ${words}`, ...lines].join('\n');
  });
  return paragraphs.join('\n\n');
}

/** Where a method of the index is from, and what frameworks call it. */
function originOf(name: string): string[] {
  const { kind, year, venue } = (origins[name] ?? {}) as Partial<Origin>;
  const names = Object.entries(frameworks).flatMap(([framework, its]) => {
    const own = namesIn(its, name).map((one) => (one.option ? `${one.name} (with ${one.option})` : one.name));
    return own.length > 0 ? [`${own.join(' and ')} in ${framework}`] : [];
  });
  return [
    ...(kind === undefined ? [] : [`kind: ${[kind, year, venue].filter((part) => part !== undefined).join(', ')}`]),
    ...(names.length > 0 ? [`elsewhere: ${names.join(', ')}`] : []),
    ...costOf(name),
  ];
}

/** What a method of the index costs. */
function costOf(name: string): string[] {
  const cost = costs[name];
  if (cost === undefined) return [];
  const time = cost.time.toFixed(2);
  const taught = cost.withTeacher.toFixed(2);
  const withTeacher = taught === time ? '' : `, ${taught} times with the teacher's pass`;
  return [
    `cost of a step, ${measuredOn}: ${time} times that of the student alone${withTeacher}; ${cost.memory} MiB more memory`,
  ];
}

/** Lines for a terminal. The layers are those between a ResNet-8 and a ResNet-20 on images of 32 × 32 pixels. */
function describeMethod(name: string, distiller: Distiller): string {
  const { title, options, needsTeacher, includesCrossEntropy } = distiller;
  const rows = Object.entries(options).map(([key, schema]) => [
    key,
    accepted(schema),
    schema.default === undefined ? '' : JSON.stringify(schema.default),
    word(schema.title),
  ]);
  const head = ['option', 'accepted', 'default', ''];
  const border = getBorderCharacters('void');
  const columns = { columnDefault: { paddingLeft: 2, paddingRight: 0 }, columns: { 3: { width: 60, wrapWord: true } } };
  return [
    `${name}: ${title}`,
    '',
    ...(rows.length > 0
      ? [table([head, ...rows], { border, drawHorizontalLine: () => false, ...columns })]
      : ['  no options of its own', '']),
    ...[...originOf(name), ...facts(name, distiller)].map((line) => `  ${line}`),
    `  ${needsTeacher ? 'needs' : 'takes no'} "teacher"`,
    `  labels: ${distiller.ignoresLabels?.({}) ? 'not used' : includesCrossEntropy || 'phases' in distiller ? 'included in the losses' : 'cross-entropy with weight 1 is added'}`,
    ...('stages' in distiller ? ['  trains in stages, each a separate run in stages/'] : []),
  ].join('\n');
}

/** Side of the images in pixels. */
const SIDE = 32;

/** So many accepted names are listed in full. */
const FEW = 8;

/** The inputs of a method's losses, found by building them. */
function facts(name: string, distiller: Distiller): string[] {
  const options = {};
  mistakes({ type: 'object', properties: distiller.options }, options);
  const method = { name, distiller, options };
  const sample = (net: string) => sampleOf(nets[net]!.build, SIDE);
  const [student, teacher] = [sample(distiller.exampleStudent ?? 'resnet8'), sample('resnet20')];
  const weights = State.initial(evaluationGraph(teacher)).arrays();
  const lines: string[] = [];
  for (const phase of phasesOf([method])) {
    const step = new StepBuilder(student, {
      batchSize: 16,
      seed: 0,
      methods: [method],
      teacher: { shapes: outputShapes(teacher), network: { model: teacher, weights } },
      examples: 100,
      optimizer: sgd(),
      alpha: 0.9,
      temperature: 4,
      klReduction: 'batchmean',
    });
    const losses = Object.keys(step.losses(phase));
    const taught = [...step.graph.inputs.keys()].filter((input) => input.startsWith(TEACHER_PREFIX));
    const trained = [...step.graph.states.values()].filter(
      ({ trainable, tensor }) => trainable && tensor.name.startsWith(DISTILLER_PREFIX),
    );
    const values = trained.reduce((total, { tensor }) => total + sizeOf(tensor.shape), 0);
    if (phase) lines.push(`phase ${phase.name}, ${counted(phase.steps, 'step')} in turn:`);
    lines.push(`losses: ${losses.join(', ')}`);
    if (step.seesImages) lines.push(`student: ${[...step.student.asked].join(', ')}`);
    if (taught.length > 0) lines.push(`teacher: ${taught.map((one) => one.slice(TEACHER_PREFIX.length)).join(', ')}`);
    if (step.asked.size > 0) lines.push(`further keys of params.json: ${[...step.asked].join(', ')}`);
    if (values > 0) lines.push(`trained in addition to the student: ${grouped(values)} parameters`);
  }
  return lines;
}

/** A schema in words. */
function accepted(schema: Schema): string {
  const { description, type, minimum, exclusiveMinimum, maximum, exclusiveMaximum } = schema;
  if (typeof description === 'string') return description;
  if (Array.isArray(schema.enum)) {
    const values = schema.enum.map((one) => JSON.stringify(one));
    return values.length > FEW ? `one of ${values.length} names such as ${values[0]}` : values.join(', ');
  }
  const bounds = [
    minimum !== undefined && `≥ ${word(minimum)}`,
    exclusiveMinimum !== undefined && `> ${word(exclusiveMinimum)}`,
    maximum !== undefined && `≤ ${word(maximum)}`,
    exclusiveMaximum !== undefined && `< ${word(exclusiveMaximum)}`,
  ].filter(Boolean);
  return [word(type), ...bounds].join(' ');
}

function word(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
