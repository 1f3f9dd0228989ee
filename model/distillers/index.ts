/** The distillation methods by the name that params.json calls them. */
import type { Distiller } from './distiller';
import { kd } from './kd';
import { nokd } from './nokd';

export type { Distiller, Setting } from './distiller';

export const distillers: Readonly<Record<string, Distiller>> = { nokd, kd };
