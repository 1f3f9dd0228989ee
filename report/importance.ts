/**
 * The importance of each parameter of a search for getting into the best tenth: PED-ANOVA (Watanabe, Bansal & Hutter
 * 2023, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces", arXiv 2304.10255), with
 * the constants of Optuna 5 and its weights for parameters that only some runs have (arXiv 2601.20800, Theorem 4.2).
 */
import type { Scalar } from '../utils/flatten';
import { normalCumulative } from '../utils/normal';
import type { Goal } from './pareto';

/** The domain of a parameter: an interval with linear or logarithmic scale, or a list of choices. */
export type Domain =
  | { readonly kind: 'number'; readonly low: number; readonly high: number; readonly log: boolean }
  | { readonly kind: 'choice'; readonly choices: readonly Scalar[] };

export interface SearchedParam {
  readonly domain: Domain;
  /** One value per run; undefined if it does not have the parameter. */
  readonly values: readonly (Scalar | undefined)[];
}

/** The fraction of runs that count as the best. */
const TOP = 0.1;
/** Number of cells of a range. */
const CELLS = 50;
/** Weight of the uniform prior, in runs. */
const PRIOR = 1;
const LEAST_RUNS = 2;
const TINY = 1e-12;

/** Shares of the parameters, adding up to 1, for runs with these scores; all 0 if nothing distinguishes them. */
export function importances(params: readonly SearchedParam[], scores: readonly number[], goal: Goal): number[] {
  const sign = goal === 'maximize' ? -1 : 1;
  const losses = scores.map((score) => sign * score);
  const cutoff = [...losses].sort((a, b) => a - b)[Math.ceil(TOP * losses.length) - 1]!;
  const isTop = losses.map((loss) => loss <= cutoff);
  const divergences = params.map((param) => weightedDivergence(param, isTop));
  const sum = divergences.reduce((total, value) => total + value, 0);
  return divergences.map((value) => (sum > 0 ? value / sum : 0));
}

/** α²/β · D(top ‖ all) over the runs that have the parameter, which are a share α of the best and β of all. */
function weightedDivergence({ domain, values }: SearchedParam, isTop: readonly boolean[]): number {
  const cells = values.map((value) => (value === undefined ? undefined : cellOf(value, domain)));
  const all = cells.filter((cell) => cell !== undefined);
  const top = cells.filter((_, i) => isTop[i]).filter((cell) => cell !== undefined);
  if (all.length < LEAST_RUNS || top.length === 0) return 0;
  const alpha = top.length / isTop.filter(Boolean).length;
  const beta = all.length / cells.length;
  return (alpha ** 2 / beta) * divergence(densityOf(top, domain), densityOf(all, domain));
}

/** Pearson's divergence Σ q (p/q − 1)². */
function divergence(p: readonly number[], q: readonly number[]): number {
  return q.reduce((sum, share, i) => sum + (share + TINY) * ((p[i]! + TINY) / (share + TINY) - 1) ** 2, 0);
}

/** The cell of a value: the nearest of CELLS points from `low` to `high`, or the place among the choices. */
function cellOf(value: Scalar, domain: Domain): number {
  if (domain.kind === 'choice') return domain.choices.indexOf(value);
  const scaled = (number: number) => (domain.log ? Math.log(number) : number);
  const [low, high] = [scaled(domain.low), scaled(domain.high)];
  const step = (high - low) / (CELLS - 1);
  const place = Math.ceil((scaled(Number(value)) - low) / step - 0.5);
  return Math.min(Math.max(place, 0), CELLS - 1);
}

/** The Parzen density over cells: a kernel on each occurring cell, weighted by its frequency, and a prior. */
function densityOf(cells: readonly number[], domain: Domain): number[] {
  const size = domain.kind === 'choice' ? domain.choices.length : CELLS;
  const counts = Array<number>(size).fill(0);
  for (const cell of cells) counts[cell]!++;
  const occupied = counts.flatMap((count, cell) => (count > 0 ? [cell] : []));
  const kernels = domain.kind === 'choice' ? choiceKernels(occupied, size) : numberKernels(occupied, counts);
  const weights = [...occupied.map((cell) => counts[cell]!), PRIOR];
  const total = cells.length + PRIOR;
  return counts.map((_, cell) => kernels.reduce((sum, kernel, k) => sum + (weights[k]! / total) * kernel(cell), 0));
}

type Kernel = (cell: number) => number;

/** Kernels for choices: each gives a little weight to the other choices; the prior is uniform. */
function choiceKernels(occupied: readonly number[], size: number): Kernel[] {
  const base = PRIOR / (occupied.length + 1);
  const total = 1 + size * base;
  return [...occupied.map((own) => (cell: number) => (Number(cell === own) + base) / total), () => 1 / size];
}

/**
 * Normal kernels, truncated at both ends, whose width follows Scott's rule (Scott 1992): 1.059 · min(IQR / 1.34, s) ·
 * n^(−1/5).
 */
function numberKernels(occupied: readonly number[], counts: readonly number[]): Kernel[] {
  const n = occupied.reduce((sum, cell) => sum + counts[cell]!, 0);
  const mean = occupied.reduce((sum, cell) => sum + cell * counts[cell]!, 0) / n;
  const squares = occupied.reduce((sum, cell) => sum + counts[cell]! * (cell - mean) ** 2, 0);
  let reached = 0;
  const cumulative = occupied.map((cell) => (reached += counts[cell]!));
  const cellAt = (index: number) => occupied[index === -1 ? occupied.length - 1 : index]!;
  const first = cellAt(cumulative.findIndex((count) => count >= Math.floor(n / 4)));
  const third = cellAt(cumulative.findIndex((count) => count > Math.floor((n * 3) / 4)));
  const spread = Math.min((third - first) / 1.34, Math.sqrt(squares / Math.max(1, n - 1)));
  // 90 % of the narrowest kernel lies in its own cell.
  const width = Math.max(1.059 * spread * n ** -0.2, 0.5 / 1.64);
  return [...occupied.map((cell) => normalKernel(cell, width)), normalKernel((CELLS - 1) / 2, CELLS)];
}

function normalKernel(center: number, width: number): Kernel {
  const below = (edge: number) => normalCumulative((edge - center) / width);
  const total = below(CELLS - 0.5) - below(-0.5);
  return (cell) => (below(cell + 0.5) - below(cell - 0.5)) / total;
}
