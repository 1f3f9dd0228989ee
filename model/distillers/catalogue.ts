/** Where each method of the index is from: its kind, which is its folder, and its year and venue. */

/** The kinds of methods, in the order in which they are listed. */
export const kinds = {
  alone: 'the student learns from the labels alone',
  logits: "the student matches the teacher's logits",
  features: 'the student matches feature maps or vectors inside the teacher',
  relations: 'the student matches relations between examples or between layers',
  self: 'the student teaches itself',
  online: 'students teach each other, or learn from their average',
  data_free: 'generated images replace the training set',
} as const;

type Kind = keyof typeof kinds;

export interface Origin {
  readonly kind: Kind;
  readonly year?: number;
  readonly venue?: string;
}

const of = (kind: Kind, year: number, venue: string): Origin => ({ kind, year, venue });

export const origins: Readonly<Record<string, Origin>> = {
  nokd: { kind: 'alone' },
  kd: of('logits', 2015, 'arXiv'),
  multikd: of('logits', 2017, 'KDD'),
  unlabeled: of('logits', 2015, 'arXiv'),
  logits_mse: of('logits', 2014, 'NeurIPS'),
  softmax_hint: of('features', 2015, 'arXiv'),
  triplet: of('relations', 2020, 'GitHub'),
  dkd: of('logits', 2022, 'CVPR'),
  nkd: of('logits', 2023, 'ICCV'),
  ttm: of('logits', 2024, 'ICLR'),
  wttm: of('logits', 2024, 'ICLR'),
  wsld: of('logits', 2021, 'ICLR'),
  rld: of('logits', 2025, 'ICCV'),
  mlkd: of('logits', 2023, 'CVPR'),
  ctkd: of('logits', 2023, 'AAAI'),
  sdd: of('logits', 2024, 'CVPR'),
  dist: of('logits', 2022, 'NeurIPS'),
  uda: of('logits', 2020, 'NeurIPS'),
  deit: of('logits', 2021, 'ICML'),
  takd: of('logits', 2020, 'AAAI'),
  srrl: of('features', 2021, 'ICLR'),
  at: of('features', 2017, 'ICLR'),
  nst: of('features', 2017, 'arXiv'),
  pkd: of('features', 2019, 'EMNLP'),
  sfd: of('features', 2020, 'GitHub'),
  vid: of('features', 2019, 'CVPR'),
  fitnet: of('features', 2015, 'ICLR'),
  ab: of('features', 2019, 'AAAI'),
  ofd: of('features', 2019, 'ICCV'),
  ft: of('features', 2018, 'NeurIPS'),
  reviewkd: of('features', 2021, 'CVPR'),
  afd: of('features', 2021, 'AAAI'),
  semckd: of('features', 2021, 'AAAI'),
  ickd: of('features', 2021, 'ICCV'),
  catkd: of('features', 2023, 'CVPR'),
  mgd: of('features', 2022, 'ECCV'),
  pad: of('features', 2020, 'ECCV'),
  pefd: of('features', 2022, 'NeurIPS'),
  srd: of('features', 2024, 'AAAI'),
  vkd: of('features', 2024, 'CVPR'),
  embedding: of('features', 2024, 'CVPR'),
  cc: of('relations', 2019, 'ICCV'),
  fsp: of('relations', 2017, 'CVPR'),
  pkt: of('relations', 2018, 'ECCV'),
  rkd: of('relations', 2019, 'CVPR'),
  irg: of('relations', 2019, 'CVPR'),
  sp: of('relations', 2019, 'ICCV'),
  crd: of('relations', 2020, 'ICLR'),
  dcd: of('relations', 2024, 'arXiv'),
  tfkd: of('self', 2020, 'CVPR'),
  uskd: of('self', 2023, 'ICCV'),
  byot: of('self', 2019, 'ICCV'),
  cskd: of('self', 2020, 'CVPR'),
  bann: of('self', 2018, 'ICML'),
  mean_teacher: of('online', 2017, 'NeurIPS'),
  one: of('online', 2018, 'NeurIPS'),
  okddip: of('online', 2020, 'AAAI'),
  dml: of('online', 2018, 'CVPR'),
  dafl: of('data_free', 2019, 'ICCV'),
  zskt: of('data_free', 2019, 'NeurIPS'),
  dfad: of('data_free', 2019, 'arXiv'),
  data_free: of('data_free', 2019, 'NeurIPS'),
  dataset_distillation: of('data_free', 2019, 'NeurIPS'),
};
