/** Weights from a checkpoint file of either kind, and whether they are those of a network. */
import { quoted, readBytes } from './binary';
import { UserError } from './errors';
import { ndarray, type NamedArrays } from './ndarray';
import { isTorchCheckpoint, parseTorchCheckpoint } from './pytorch';
import { isSafetensors, parseSafetensors } from './safetensors';

/**
 * Reads a safetensors file or a PyTorch checkpoint; the content tells which, not the name. What an optimizer keeps in a
 * run's own `last.safetensors` is left out, but for averages of weights, which are given in their place. Errors are
 * UserErrors.
 */
export async function readWeights(path: string): Promise<NamedArrays> {
  const bytes = readBytes(path);
  if (isSafetensors(bytes)) {
    const { tensors } = parseSafetensors(bytes, path);
    const own = [...tensors].filter(([name]) => !name.startsWith('optimizer.'));
    return new Map(own.map(([name, array]) => [name, tensors.get(`optimizer.average.${name}`) ?? array]));
  }
  if (isTorchCheckpoint(bytes)) return parseTorchCheckpoint(bytes, path);
  throw new UserError(`${path}: neither a safetensors file nor a PyTorch checkpoint`);
}

/**
 * The tensors that a network expects (name to shape), in its order. BatchNorm's counters `num_batches_tracked` are
 * int64 and may be missing (files older than PyTorch 0.4.1 lack them; they are then 0) or surplus; all others are
 * float32. Anything else that is missing, unexpected or of another shape or type is a UserError that names up to three
 * of each.
 */
export function fitWeights(
  path: string,
  weights: NamedArrays,
  expected: ReadonlyMap<string, readonly number[]>,
): NamedArrays {
  const missing = [...expected.keys()].filter((name) => !weights.has(name) && !isCounter(name));
  const unexpected = [...weights.keys()].filter((name) => !expected.has(name) && !isCounter(name));
  const reshaped: string[] = [];
  const retyped: string[] = [];
  const fitting: NamedArrays = new Map();
  for (const [name, shape] of expected) {
    const array = weights.get(name);
    if (!array) {
      if (isCounter(name)) fitting.set(name, ndarray('int64', shape));
      continue;
    }
    const fits = shape.length === array.shape.length && shape.every((length, axis) => length === array.shape[axis]);
    const dtype = isCounter(name) ? 'int64' : 'float32';
    if (!fits) reshaped.push(`${name}: file [${array.shape.join(',')}], network [${shape.join(',')}]`);
    else if (array.dtype !== dtype) retyped.push(`${name}: file ${array.dtype}, network ${dtype}`);
    else fitting.set(name, array);
  }

  const problems = [
    describe('missing', missing),
    describe('unexpected', unexpected.map(plain)),
    describe('of another shape', reshaped),
    describe('of another type', retyped),
  ].filter((problem) => problem !== '');
  if (problems.length > 0) throw new UserError(`${path}: does not fit the network: ${problems.join(', ')}`);
  return fitting;
}

/** A count with up to three examples, such as `62 missing (conv1.weight, bn1.weight, bn1.bias, …)`; '' for none. */
function describe(problem: string, items: readonly string[]): string {
  if (items.length === 0) return '';
  const examples = items.slice(0, 3).join(', ') + (items.length > 3 ? ', …' : '');
  return `${items.length} ${problem} (${examples})`;
}

/** A name from a file without quotes where it is one of the usual kind. */
function plain(name: string): string {
  return /^[\w.:/-]{1,80}$/.test(name) ? name : quoted(name);
}

function isCounter(name: string): boolean {
  return name.endsWith('num_batches_tracked');
}
