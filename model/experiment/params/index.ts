/** params.json: what it accepts, and what it says once every key is filled. */
export { changedKeys } from './changed_keys';
export { parseParams, readGivenParams } from './parse';
export { netOf, paramsSchema } from './schema';
export type { Params } from './types';
