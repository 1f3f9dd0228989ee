/** The values inside a network from an ONNX file, and how they are named: by themselves, their nodes or their layers. */
import { layerCalled } from '../../engine/onnx/layers';
import { quoted } from '../../formats/binary';
import { UserError } from '../../utils/errors';
import { nearest } from '../../utils/nearest';

/** Where the channels of a map are: (N, C, H, W) or (N, H, W, C). */
export type Layout = 'NCHW' | 'NHWC';

/** A value inside of a network, and the node that makes it. */
export interface Inside {
  /** For a batch of images; the batch first, if it has a row for each. */
  readonly shape: readonly number[];
  readonly node: {
    readonly opType: string;
    readonly name: string;
    readonly inputs: readonly string[];
    /** The path of its module. */
    readonly layer?: string | undefined;
    /** Of Transpose. */
    readonly perm?: readonly number[] | undefined;
  };
}

export interface NetworkInside {
  /** The file. */
  readonly path: string;
  /** Values that depend on the images, of floating-point types, in the order in which they are computed. */
  readonly values: ReadonlyMap<string, Inside>;
  /** The input, and where its channels are if it has four axes. */
  readonly images: { readonly name: string; readonly layout: Layout | undefined };
  readonly batch: number;
  /** The output that is the logits, if there is one. */
  readonly logits: string | undefined;
}

/** Names in a message. */
const SHOWN = 5;

/** What a name in `key` of params.json stands for: a value, the output of a node, or what a layer hands on. */
export function valueCalled(name: string, { path, values }: NetworkInside, key: string): string {
  if (values.has(name)) return name;
  const ofNode = [...values].find(([, { node }]) => node.name === name)?.[0];
  const found = ofNode ?? ofLayer(layerCalled(name), values);
  if (found !== undefined) return found;
  const layers = [...new Set([...values.values()].flatMap(({ node: { layer } }) => prefixesOf(layer ?? '')))];
  const outermost = layers.filter((layer) => !layer.includes('.'));
  const close = nearest(name, [...layers, ...values.keys()]);
  const others = outermost.length > 1 ? outermost : [...outermost, ...[...values.keys()].slice(-SHOWN)];
  const shown = [...new Set([...(close === undefined ? [] : [close]), ...others])].slice(0, SHOWN).map(quoted);
  throw new UserError(
    `${path}: "${key}" is ${quoted(name)}, accepted are values, nodes and layers of the file, such as ${shown.join(', ')}`,
  );
}

/** What is read outside of a layer of all that is made in it; the last one, if there are several. */
function ofLayer(layer: string, values: NetworkInside['values']): string | undefined {
  const isInside = ({ node }: Inside) => node.layer === layer || node.layer?.startsWith(`${layer}.`);
  const own = [...values].filter(([, value]) => isInside(value)).map(([name]) => name);
  const readOutside = new Set(
    [...values.values()].filter((value) => !isInside(value)).flatMap(({ node }) => node.inputs),
  );
  return own.filter((name) => readOutside.has(name)).at(-1) ?? own.at(-1);
}

/** layer4, layer4.2, layer4.2.relu. */
function prefixesOf(layer: string): string[] {
  const parts = layer === '' ? [] : layer.split('.');
  return parts.map((_, i) => parts.slice(0, i + 1).join('.'));
}
