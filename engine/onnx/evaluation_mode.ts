/**
 * Switches a model that was exported in training mode to evaluation: BatchNormalization uses its running statistics and
 * Dropout does nothing. (Before opset 14 a BatchNormalization is in training mode if it outputs the statistics of its batch.)
 * Impossible for nodes that draw random numbers, and for BatchNormalization without running statistics.
 */
import { quoted } from '../../formats/binary';
import { UserError } from '../../utils/errors';
import { ancestors, everyNode } from './nodes';
import type { OnnxModel, OnnxNode } from './read';
import { piecesOf, read, submessage, text, integers } from './wire';

/** Fields of NodeProto. */
const [INPUT, OUTPUT, ATTRIBUTE] = [1, 2, 5];

const ADVICE =
  'export it in evaluation mode: model.eval(), then torch.onnx.export(model, …) without "training" or with TrainingMode.EVAL';

/** How a model becomes one in evaluation mode. */
export interface Evaluation {
  /** By number of the node: what turns its bytes into those of the node in evaluation mode. */
  readonly changes: ReadonlyMap<number, (node: Uint8Array) => Uint8Array>;
  /** What is changed, one sentence each. */
  readonly remarks: readonly string[];
}

/** The changes to those nodes of a model whose numbers are in `needed`. Throws a UserError that names a node that has no such form. */
export function evaluationOf(
  bytes: Uint8Array,
  model: OnnxModel,
  needed: ReadonlySet<number>,
  path: string,
): Evaluation {
  const nodes = [...needed].sort((a, b) => a - b).map((number) => [number, model.nodes[number]!] as const);
  const flags = nodes.some(([, node]) => flagOf(node) !== '') ? booleans(bytes) : new Map<string, boolean>();
  const isTraining = (node: OnnxNode) =>
    node.domain === '' &&
    (node.opType === 'BatchNormalization'
      ? (node.integers?.training_mode ?? 0) !== 0 || node.outputs.slice(1).some((name) => name !== '')
      : flagOf(node) !== '' && flags.get(flagOf(node)) !== false);

  const inner = [
    ...nodes.flatMap(([, { bodies = [] }]) => bodies.flatMap((body) => body.nodes)),
    ...model.functionNodes,
  ];
  for (const node of everyNode([...nodes.map(([, node]) => node), ...inner])) {
    if (isRandom(node)) throw new UserError(`${path}: ${named(node)} draws random numbers: ${ADVICE}`);
  }
  const hidden = everyNode(inner).find(isTraining);
  if (hidden) throw new UserError(`${path}: ${named(hidden)} is in training mode: ${ADVICE}`);

  const fed = new Set(model.inputs.map(({ name }) => name));
  const dependsOnImages = (name: string) =>
    fed.has(name) || [...ancestors(model, [name])].some((i) => model.nodes[i]!.inputs.some((input) => fed.has(input)));
  const changes = new Map<number, (node: Uint8Array) => Uint8Array>();
  const counts = { BatchNormalization: 0, Dropout: 0 };
  for (const [number, node] of nodes) {
    if (node.domain !== '' || !(node.opType in counts)) continue;
    const opType = node.opType as keyof typeof counts;
    if (opType === 'BatchNormalization' && node.inputs.slice(3, 5).some(dependsOnImages)) {
      throw new UserError(
        `${path}: ${named(node)} normalizes with batch statistics, since it has no running statistics ` +
          `(track_running_stats=False): its output for an image depends on the other images`,
      );
    }
    if (!isTraining(node)) continue;
    changes.set(number, (content) => evaluated(content, opType));
    counts[opType]++;
  }
  return { changes, remarks: remarksOf(counts) };
}

function remarksOf({ BatchNormalization: norms, Dropout: dropouts }: Record<'BatchNormalization' | 'Dropout', number>) {
  const parts = [
    ...(norms > 0 ? [`BatchNormalization uses its running statistics (${norms} of them)`] : []),
    ...(dropouts > 0 ? [`Dropout is removed (${dropouts} of them)`] : []),
  ];
  return parts.length > 0 ? [`exported in training mode, switched to evaluation mode: ${parts.join(', ')}`] : [];
}

/** The name of the value that says whether a Dropout is in training mode; '' if there is none. */
function flagOf({ opType, domain, inputs }: OnnxNode): string {
  return (opType === 'Dropout' && domain === '' && inputs[2]) || '';
}

function isRandom({ opType, domain }: OnnxNode): boolean {
  return (
    /^(RandomNormal|RandomUniform|Bernoulli|Multinomial)/.test(opType) || (domain !== '' && /Dropout/.test(opType))
  );
}

function named({ opType, name }: OnnxNode): string {
  return name === '' ? quoted(opType) : `${quoted(opType)} with the name ${quoted(name)}`;
}

/** The bytes of a node without its training flag and without the statistics of the batch among its outputs. */
function evaluated(node: Uint8Array, opType: 'BatchNormalization' | 'Dropout'): Uint8Array {
  let [inputs, outputs] = [0, 0];
  const kept = [...piecesOf(node)].filter(({ id, content }) => {
    if (id === INPUT) return ++inputs <= (opType === 'Dropout' ? 2 : 5);
    if (id === OUTPUT) return ++outputs <= (opType === 'Dropout' ? 2 : 1);
    return !(
      id === ATTRIBUTE &&
      content &&
      read('AttributeProto', content, { name: text }).name[0] === 'training_mode'
    );
  });
  return Buffer.concat(kept.map(({ whole }) => whole));
}

/** The first value of each initializer and Constant, as a boolean, by name. */
function booleans(bytes: Uint8Array): Map<string, boolean> {
  const tensor = (content: Uint8Array) => {
    const { name, rawData, int32Data } = read('TensorProto', content, {
      name: text,
      rawData: submessage,
      int32Data: (field) => integers(field, content.length, 'values'),
    });
    return { name: name[0] ?? '', value: Boolean(rawData[0]?.[0] ?? int32Data.flat()[0] ?? 0) };
  };
  const graph = read('ModelProto', bytes, { graph: submessage }).graph[0]!;
  const { initializer, node } = read('GraphProto', graph, {
    initializer: (field) => tensor(submessage(field)),
    node: (field) =>
      read('NodeProto', submessage(field), {
        opType: text,
        output: text,
        attribute: (inner) =>
          read('AttributeProto', submessage(inner), { t: (value) => tensor(submessage(value)).value }).t,
      }),
  });
  const constants = node.flatMap(({ opType, output, attribute }) => {
    const [value] = attribute.flat();
    return opType[0] === 'Constant' && value !== undefined ? [[output[0] ?? '', value] as const] : [];
  });
  return new Map([...initializer.map(({ name, value }) => [name, value] as const), ...constants]);
}
