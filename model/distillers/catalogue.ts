/** Where each method of the index is from: its kind, which is its folder, its year and venue, and what others call it. */

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

/**
 * Read in mdistiller a08d46f (distiller_dict), RepDistiller b84f547 (--distill), torchdistill 3e4373c (torchdistill/losses), mmrazor
 * 90c7af1 (mmrazor/models/losses, or a folder of configs/distill/mmcls), KD_Lib a94d236 (KD_Lib/KD/vision), KD-Zoo 65470c8
 * (--kd_mode or kd_losses), SimKD 2b389c3 (--distill), cls_KD 1e5d48f (mmcls/models/dis_losses).
 */
type Framework = 'torchdistill' | 'mdistiller' | 'RepDistiller' | 'KD-Zoo' | 'mmrazor' | 'KD_Lib' | 'SimKD' | 'cls_KD';

export interface Origin {
  readonly kind: Kind;
  readonly year?: number;
  readonly venue?: string;
  /** What frameworks call it, or call its loss. */
  readonly elsewhere?: Readonly<Partial<Record<Framework, string>>>;
}

const of = (kind: Kind, year: number, venue: string, elsewhere?: Origin['elsewhere']): Origin => ({
  kind,
  year,
  venue,
  ...(elsewhere && { elsewhere }),
});

const sfd = of('features', 2020, 'GitHub');

export const origins: Readonly<Record<string, Origin>> = {
  nokd: { kind: 'alone', elsewhere: { mdistiller: 'NONE' } },
  kd: of('logits', 2015, 'arXiv', {
    torchdistill: 'KDLoss',
    mdistiller: 'KD',
    RepDistiller: 'kd',
    'KD-Zoo': 'st',
    mmrazor: 'KLDivergence',
    KD_Lib: 'VanillaKD',
    SimKD: 'kd',
    cls_KD: 'KDLoss',
  }),
  multikd: of('logits', 2017, 'KDD'),
  unlabeled: of('logits', 2015, 'arXiv'),
  logits_mse: of('logits', 2014, 'NeurIPS', { 'KD-Zoo': 'logits', mmrazor: 'L2Loss' }),
  softmax_hint: of('features', 2015, 'arXiv'),
  triplet: of('relations', 2020, 'GitHub'),
  dkd: of('logits', 2022, 'CVPR', { mdistiller: 'DKD', mmrazor: 'DKDLoss', cls_KD: 'DKDLoss' }),
  nkd: of('logits', 2023, 'ICCV', { cls_KD: 'NKDLoss' }),
  ttm: of('logits', 2024, 'ICLR'),
  wttm: of('logits', 2024, 'ICLR'),
  wsld: of('logits', 2021, 'ICLR', { mmrazor: 'WSLD', cls_KD: 'WSLDLoss' }),
  rld: of('logits', 2025, 'ICCV'),
  mlkd: of('logits', 2023, 'CVPR'),
  ctkd: of('logits', 2023, 'AAAI'),
  sdd: of('logits', 2024, 'CVPR'),
  dist: of('logits', 2022, 'NeurIPS', { torchdistill: 'DISTLoss', mmrazor: 'DISTLoss' }),
  uda: of('logits', 2020, 'NeurIPS'),
  takd: of('logits', 2020, 'AAAI', { KD_Lib: 'TAKD' }),
  srrl: of('features', 2021, 'ICLR', { SimKD: 'srrl', cls_KD: 'SRRLLoss' }),
  at: of('features', 2017, 'ICLR', {
    torchdistill: 'ATLoss',
    mdistiller: 'AT',
    RepDistiller: 'attention',
    'KD-Zoo': 'at',
    mmrazor: 'ATLoss',
    KD_Lib: 'Attention',
    SimKD: 'attention',
  }),
  nst: of('features', 2017, 'arXiv', { mdistiller: 'NST', RepDistiller: 'nst', 'KD-Zoo': 'nst' }),
  pkd: of('features', 2019, 'EMNLP'),
  sfd,
  vid: of('features', 2019, 'CVPR', {
    torchdistill: 'VIDLoss',
    mdistiller: 'VID',
    RepDistiller: 'vid',
    'KD-Zoo': 'vid',
    SimKD: 'vid',
  }),
  fitnet: of('features', 2015, 'ICLR', {
    mdistiller: 'FITNET',
    RepDistiller: 'hint',
    'KD-Zoo': 'fitnet',
    mmrazor: 'fitnets',
    SimKD: 'hint',
  }),
  ab: of('features', 2019, 'AAAI', {
    torchdistill: 'AltActTransferLoss',
    RepDistiller: 'abound',
    'KD-Zoo': 'ab',
    mmrazor: 'ABLoss',
  }),
  ofd: of('features', 2019, 'ICCV', { mdistiller: 'OFD', 'KD-Zoo': 'ofd', mmrazor: 'OFDLoss' }),
  ft: of('features', 2018, 'NeurIPS', {
    torchdistill: 'FTLoss',
    RepDistiller: 'factor',
    'KD-Zoo': 'FT',
    mmrazor: 'FTLoss',
  }),
  reviewkd: of('features', 2021, 'CVPR', { torchdistill: 'HierarchicalContextLoss', mdistiller: 'REVIEWKD' }),
  afd: of('features', 2021, 'AAAI'),
  semckd: of('features', 2021, 'AAAI', { SimKD: 'semckd' }),
  ickd: of('features', 2021, 'ICCV', { torchdistill: 'ChSimLoss' }),
  catkd: of('features', 2023, 'CVPR'),
  mgd: of('features', 2022, 'ECCV', { mmrazor: 'MGDLoss', cls_KD: 'MGDLoss' }),
  pefd: of('features', 2022, 'NeurIPS'),
  srd: of('features', 2024, 'AAAI', { torchdistill: 'SRDLoss' }),
  vkd: of('features', 2024, 'CVPR'),
  cc: of('relations', 2019, 'ICCV', { torchdistill: 'CCKDLoss', RepDistiller: 'correlation', 'KD-Zoo': 'cc' }),
  fsp: of('relations', 2017, 'CVPR', { torchdistill: 'FSPLoss', RepDistiller: 'fsp', 'KD-Zoo': 'fsp' }),
  pkt: of('relations', 2018, 'ECCV', {
    torchdistill: 'PKTLoss',
    mdistiller: 'PKT',
    RepDistiller: 'pkt',
    'KD-Zoo': 'pkt',
  }),
  rkd: of('relations', 2019, 'CVPR', {
    torchdistill: 'RKDLoss',
    mdistiller: 'RKD',
    RepDistiller: 'rkd',
    'KD-Zoo': 'rkd',
    mmrazor: 'DistanceWiseRKD and AngleWiseRKD',
    KD_Lib: 'RKDLoss',
  }),
  sp: of('relations', 2019, 'ICCV', {
    torchdistill: 'SPKDLoss',
    mdistiller: 'SP',
    RepDistiller: 'similarity',
    'KD-Zoo': 'sp',
    SimKD: 'similarity',
  }),
  crd: of('relations', 2020, 'ICLR', {
    torchdistill: 'CRDLoss',
    mdistiller: 'CRD',
    RepDistiller: 'crd',
    'KD-Zoo': 'CRD',
    mmrazor: 'CRDLoss',
    SimKD: 'crd',
  }),
  dcd: of('relations', 2024, 'arXiv'),
  tfkd: of('self', 2020, 'CVPR', { KD_Lib: 'VirtualTeacher' }),
  uskd: of('self', 2023, 'ICCV', { cls_KD: 'USKDLoss' }),
  byot: of('self', 2019, 'ICCV', { mmrazor: 'byot' }),
  cskd: of('self', 2020, 'CVPR', { KD_Lib: 'CSKD' }),
  bann: of('self', 2018, 'ICML', { KD_Lib: 'BANN' }),
  mean_teacher: of('online', 2017, 'NeurIPS', { KD_Lib: 'MeanTeacher' }),
  one: of('online', 2018, 'NeurIPS'),
  okddip: of('online', 2020, 'AAAI'),
  dml: of('online', 2018, 'CVPR', { 'KD-Zoo': 'DML', KD_Lib: 'DML' }),
  dafl: of('data_free', 2019, 'ICCV', { mmrazor: 'dafl' }),
  zskt: of('data_free', 2019, 'NeurIPS', { mmrazor: 'zskt' }),
  dfad: of('data_free', 2019, 'arXiv', { mmrazor: 'dfad' }),
  data_free: of('data_free', 2019, 'NeurIPS'),
  dataset_distillation: of('data_free', 2019, 'NeurIPS'),
};
