/** Checks whether teachers agree with the labels: low agreement suggests a wrong file or wrong preprocessing. */
import { evenlySpaced } from '../../utils/spread';
import type { Dataset, Split } from '../data/dataset';
import { isUnlabeled, type DatasetParams } from '../data/index';
import { topAccuracy } from '../evaluation/metrics';
import { predictLogits } from '../evaluation/predict';
import { teacherEntry, type TeacherParams } from './index';
import { hasLogits, type Teacher, type TeacherContext } from './teacher';

/** Number of images to check. */
const SAMPLE = 512;
/** Agreement below this fraction is suspicious. */
const EXPECTED = 0.5;

/** A selection of images of a split. */
interface Images {
  readonly split: Split;
  readonly indices: Uint32Array;
}

/** Images for a teacher: validation and training images. */
interface Sources {
  readonly validation: Images;
  readonly train: Images;
  /** The teacher's logits on all validation images, if known. */
  readonly logits?: Float32Array | undefined;
}

/**
 * Logs how often each teacher of params.json agrees with the labels of some validation images, and warns if this is
 * rare. Cached logits may cover training images only; these are then used.
 */
export async function reportAgreement(
  params: { readonly teacher: 'none' | TeacherParams | TeacherParams[]; readonly dataset: DatasetParams },
  teacher: Teacher,
  dataset: Dataset,
  { validation, train, logits }: Sources,
  log: TeacherContext['log'],
): Promise<void> {
  const named = [params.teacher].flat().filter((one) => one !== 'none');
  const members = teacher.members ?? [teacher];
  for (const [i, one] of named.entries()) {
    if (!hasLogits(members[i]!)) continue;
    const { isCached, fileOf, whatToCheck } = teacherEntry(one);
    const isUnknown = isCached && validation.split !== dataset.train;
    if (isUnknown && isUnlabeled(params.dataset)) continue;
    const { split, indices } = isUnknown || validation.indices.length === 0 ? train : validation;
    const places = evenlySpaced(indices.length, SAMPLE);
    const chosen = places.map((place) => indices[place]!);
    const labels = Int32Array.from(chosen, (index) => split.labels[index]!);
    const known = logits && !teacher.members && split === validation.split ? logits : undefined;
    const own = known
      ? rowsOf(known, places, dataset.classes.length)
      : await predictLogits(members[i]!, split, chosen, dataset);
    const share = topAccuracy({ logits: own, labels, classes: dataset.classes.length }, 1);
    const line = `Teacher ${fileOf(one)}: agrees with the labels of ${(100 * share).toFixed(1)} % of ${labels.length} images`;
    if (share >= EXPECTED) log('info', line);
    else log('warn', `${line}; suspiciously low: check ${whatToCheck(dataset)}`);
  }
}

function rowsOf(logits: Float32Array, places: Uint32Array, classes: number): Float32Array {
  const rows = new Float32Array(places.length * classes);
  places.forEach((place, i) => rows.set(logits.subarray(place * classes, (place + 1) * classes), i * classes));
  return rows;
}
