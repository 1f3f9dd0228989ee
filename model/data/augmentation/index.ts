/** The augmentations by their names in params.json. */
import type { Aliases } from '../../../utils/aliases';
import { UserError } from '../../../utils/errors';
import type { Augmentation } from './augmentation';
import { autoaugment } from './autoaugment';
import { colorJitter } from './color_jitter';
import { crop } from './crop';
import { cutmix } from './cutmix';
import { cutout } from './cutout';
import { flip } from './flip';
import { mixup } from './mixup';
import type { Step } from './pipeline';
import { randaugment } from './randaugment';
import { randomResizedCrop } from './random_resized_crop';

export type { Augmentation } from './augmentation';
export { Pipeline, type Seen, type Step } from './pipeline';

export const augmentations: Readonly<Record<string, Augmentation>> = {
  crop,
  flip,
  random_resized_crop: randomResizedCrop,
  color_jitter: colorJitter,
  autoaugment,
  randaugment,
  cutout,
  mixup,
  cutmix,
};

/** Old names of augmentations. */
export const augmentationAliases: Aliases = {
  colour_jitter: { name: 'color_jitter', origin: 'the British spelling of earlier versions' },
};

/** `augmentation` of params.json: "yes" is what is usual for the data set, or a list, each by its name with its options. */
export type AugmentationParams = 'yes' | 'no' | ({ readonly name: string } & Readonly<Record<string, unknown>>)[];

/** The steps of `augmentation` in params.json; "yes" is the usual augmentation of the data set. */
export function augmentationSteps(params: AugmentationParams, usual = 'crop+flip'): Step[] {
  if (params === 'no') return [];
  if (params === 'yes') return viewSteps(usual);
  return params.map(({ name, ...options }) => ({ name, augmentation: augmentations[name]!, options }));
}

/** The steps of a view, named by augmentations joined with `+`; each has its default options. */
export function viewSteps(view: string): Step[] {
  return view.split('+').map((name) => {
    const augmentation = augmentations[name];
    if (!augmentation) {
      const accepted = Object.keys(augmentations).join(', ');
      throw new UserError(`view "${view}": there is no augmentation "${name}", accepted are ${accepted}, joined by +`);
    }
    const options = Object.entries(augmentation.options).map(([key, schema]) => [key, schema.default] as const);
    return { name, augmentation, options: Object.fromEntries(options) };
  });
}

/** Whether a step mixes labels. */
export function mixesLabels(steps: readonly Step[]): boolean {
  return steps.some(({ augmentation }) => augmentation.mix !== undefined);
}
