/** What a step of each method costs beside that of the student alone. `bench/methods.ts --write` measures it. */

export interface Cost {
  /** CPU time of a step in multiples of that of the student alone, the teacher's outputs at hand, as in a search. */
  readonly time: number;
  /** The same with the teacher's pass. */
  readonly withTeacher: number;
  /** Peak of the process in MiB, beyond that of the student alone. */
  readonly memory: number;
}

/** What was measured: 1 thread, medians of 1 to 5 turns on a busy machine, AMD EPYC (Zen 5), Node.js 20.20.2. */
export const measuredOn = 'resnet8 from resnet20, batches of 64';

export const costs: Readonly<Record<string, Cost>> = {
  kd: { time: 0.99, withTeacher: 1.54, memory: 21 },
  multikd: { time: 1, withTeacher: 1.53, memory: 22 },
  unlabeled: { time: 0.98, withTeacher: 1.5, memory: 21 },
  logits_mse: { time: 1.01, withTeacher: 1.54, memory: 21 },
  softmax_hint: { time: 0.94, withTeacher: 1.45, memory: 23 },
  triplet: { time: 1.01, withTeacher: 1.57, memory: 19 },
  dkd: { time: 1.01, withTeacher: 1.55, memory: 26 },
  nkd: { time: 1.04, withTeacher: 1.6, memory: 26 },
  ttm: { time: 1.01, withTeacher: 1.54, memory: 25 },
  wttm: { time: 0.99, withTeacher: 1.53, memory: 25 },
  wsld: { time: 0.98, withTeacher: 1.51, memory: 23 },
  rld: { time: 1.02, withTeacher: 1.57, memory: 23 },
  mlkd: { time: 2, withTeacher: 2.95, memory: 85 },
  ctkd: { time: 1.02, withTeacher: 1.55, memory: 23 },
  sdd: { time: 1.02, withTeacher: 1.54, memory: 26 },
  dist: { time: 0.99, withTeacher: 1.52, memory: 22 },
  deit: { time: 1.01, withTeacher: 1.01, memory: 1035 },
  srrl: { time: 1.07, withTeacher: 1.61, memory: 24 },
  tfkd: { time: 1, withTeacher: 1, memory: 2 },
  uskd: { time: 0.98, withTeacher: 0.98, memory: 3 },
  byot: { time: 1.29, withTeacher: 1.29, memory: 22 },
  cskd: { time: 1.34, withTeacher: 1.34, memory: 5 },
  bann: { time: 1.05, withTeacher: 1.05, memory: 0 },
  mean_teacher: { time: 1.32, withTeacher: 1.32, memory: 11 },
  one: { time: 1.55, withTeacher: 1.55, memory: 34 },
  okddip: { time: 1.78, withTeacher: 1.78, memory: 50 },
  at: { time: 1, withTeacher: 1.45, memory: 51 },
  cc: { time: 1.03, withTeacher: 1.54, memory: 23 },
  fsp: { time: 1.12, withTeacher: 1.67, memory: 71 },
  nst: { time: 1.28, withTeacher: 1.81, memory: 67 },
  pkd: { time: 1.08, withTeacher: 1.56, memory: 55 },
  pkt: { time: 0.98, withTeacher: 1.51, memory: 19 },
  rkd: { time: 1.07, withTeacher: 1.61, memory: 25 },
  irg: { time: 1.28, withTeacher: 1.75, memory: 54 },
  sfd: { time: 1.14, withTeacher: 1.71, memory: 46 },
  sp: { time: 0.95, withTeacher: 1.43, memory: 26 },
  vid: { time: 1.52, withTeacher: 2.07, memory: 62 },
  fitnet: { time: 1.1, withTeacher: 1.66, memory: 41 },
  ab: { time: 1.08, withTeacher: 1.68, memory: 68 },
  ofd: { time: 1.29, withTeacher: 1.89, memory: 91 },
  ft: { time: 1.27, withTeacher: 1.81, memory: 45 },
  afd: { time: 1.52, withTeacher: 2.11, memory: 75 },
  semckd: { time: 4.63, withTeacher: 5.15, memory: 286 },
  ickd: { time: 1.17, withTeacher: 1.6, memory: 30 },
  catkd: { time: 0.96, withTeacher: 1.47, memory: 21 },
  mgd: { time: 1.23, withTeacher: 1.74, memory: 43 },
  pad: { time: 1.1, withTeacher: 1.66, memory: 26 },
  pefd: { time: 1.02, withTeacher: 1.62, memory: 18 },
  srd: { time: 0.96, withTeacher: 1.48, memory: 24 },
  vkd: { time: 1.04, withTeacher: 1.57, memory: 22 },
  embedding: { time: 0.92, withTeacher: 1.43, memory: 24 },
  crd: { time: 1.2, withTeacher: 1.73, memory: 31 },
  dcd: { time: 1.11, withTeacher: 1.57, memory: 26 },
  reviewkd: { time: 3.62, withTeacher: 4.22, memory: 384 },
  uda: { time: 1.95, withTeacher: 2.98, memory: 85 },
  takd: { time: 1.01, withTeacher: 1.48, memory: 25 },
  dml: { time: 3.81, withTeacher: 3.81, memory: 171 },
  dafl: { time: 5.8, withTeacher: 5.8, memory: 745 },
  zskt: { time: 3.76, withTeacher: 3.76, memory: 406 },
  dfad: { time: 3.33, withTeacher: 3.33, memory: 457 },
  data_free: { time: 3.65, withTeacher: 3.65, memory: 391 },
  dataset_distillation: { time: 1.62, withTeacher: 1.62, memory: 134 },
};
