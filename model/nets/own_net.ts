/** Custom networks: modules that params.json names by path, such as "./my_net.ts". */
import type { Tensor } from '../../engine/tensor';
import { UserError } from '../../utils/errors';
import { isObject } from '../../utils/json';
import { defaultExport, isModulePath } from '../../utils/own_module';
import { object, type Options } from '../../utils/schema_forms';
import type { Layers } from './layers';
import type { Net, NetOutputs } from './net';

/** How a network is trained unless params.json says otherwise. */
export interface Recipe {
  readonly optimizer: string;
  readonly weight_decay: number;
  readonly schedule: { readonly type: string; readonly [option: string]: unknown };
}

/** The default export of such a module. `Values` are those of `"model_options"` of params.json. */
export interface NetModule<Values = Readonly<Record<string, unknown>>> {
  /** One line about the network. */
  readonly title?: string;
  /** A JSON schema for each key of `"model_options"`; defaults are filled in. */
  readonly options?: Options;
  /** SGD with weight decay 5e-4 and a step schedule by default. */
  readonly recipe?: Recipe;
  /**
   * Builds the network on normalized images (N, C, H, W), in training or evaluation mode, which the layers know. Names of
   * layers are names of parameters in checkpoints.
   */
  readonly build: (
    layers: Layers,
    images: Tensor,
    shape: { readonly classes: number; readonly options: Values },
  ) => Omit<NetOutputs, 'features'> & Partial<Pick<NetOutputs, 'features'>>;
}

/** The default export of the module at a path. Throws a UserError if it is no network. */
export function loadNet(path: string): NetModule {
  const module = defaultExport(path, 'model_version', 'a network');
  if (!isNetModule(module)) {
    throw new UserError(`${path}: the default export must be a network: an object with a function "build"`);
  }
  return module;
}

/** Whether the default export of a module is a network. */
export function isNetModule(module: unknown): module is NetModule {
  return isObject(module) && typeof module.build === 'function';
}

/**
 * The key of params.json with the options of the network `name`: those that its module declares, none for a network of this
 * house, and any for documentation, where there is no name.
 */
export function moduleOptions(name: unknown, title: string): Options {
  if (name === undefined) return { model_options: { type: 'object', title } };
  const { options } = isModulePath(name) ? loadNet(name) : {};
  return options ? { model_options: object(options, [], { default: {}, title }) } : {};
}

/** The network of a module with these values of its options. Throws a UserError for outputs of another shape. */
export function netOfModule(path: string, { build }: NetModule, options: Readonly<Record<string, unknown>>): Net {
  return (layers, x, { classes }) => {
    const { logits, pooled, features = {} } = build(layers, x, { classes, options });
    const found = { logits, pooled } as Readonly<Record<string, Tensor | undefined>>;
    for (const name of ['logits', 'pooled']) {
      const shape = found[name]?.shape;
      const wanted = name === 'logits' ? `N × ${classes}` : 'N × features';
      const isRight = shape?.length === 2 && (name === 'pooled' || shape[1] === classes);
      if (!isRight) {
        throw new UserError(`${path}: "${name}" must be ${wanted}, got ${shape ? shape.join(' × ') : 'none'}`);
      }
    }
    return { logits, pooled, features };
  };
}
