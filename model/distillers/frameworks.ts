/** The methods of other frameworks by the names in their files, and what each is here. */

/** A method that is not here. */
export interface Absent {
  readonly title: string;
  readonly venue: string;
  /** Why it is not here, or for what other task it was made. */
  readonly reason: string;
}

const later = 'not written yet';
const segmentation = 'segmentation';
const detection = 'detection';
const transformers = 'made for vision transformers';

export const absent: Readonly<Record<string, Absent>> = {
  KDSVD: { title: 'singular vectors of feature maps', venue: 'ECCV 2018', reason: 'needs gradients of an SVD' },
  SimKD: { title: "the teacher's classifier on the student's features", venue: 'CVPR 2022', reason: later },
  SSKD: { title: 'similarities of self-supervised views', venue: 'ECCV 2020', reason: later },
  'DIST+': { title: 'DIST with an adaptive teacher', venue: 'TPAMI 2025', reason: later },
  SKD: { title: 'streamlined: instances and directions of logits', venue: 'CVPR 2026', reason: later },
  'AFD (Wang)': { title: 'feature maps weighted by channel attention', venue: 'ICLR 2020', reason: later },
  BSS: { title: "adversarial samples at the teacher's boundaries", venue: 'AAAI 2019', reason: later },
  LwM: { title: 'Grad-CAM attention', venue: 'CVPR 2019', reason: 'needs gradients of gradients' },
  Sobolev: { title: "the teacher's Jacobian", venue: 'NeurIPS 2017', reason: 'needs gradients of gradients' },
  RCO: { title: "checkpoints along the teacher's training, one after the other", venue: 'ICCV 2019', reason: later },
  'private ensembles': { title: 'messy collaboration and soft randomization', venue: 'arXiv 2019', reason: later },
  'distillation token': {
    title: 'DeiT: a token of its own for the teacher',
    venue: 'ICML 2021',
    reason: transformers,
  },
  ViTKD: { title: 'layers of vision transformers', venue: 'arXiv 2022', reason: transformers },
  KTAAD: { title: 'translated features and affinities', venue: 'CVPR 2019', reason: segmentation },
  CWD: {
    title: 'each channel as a distribution over places',
    venue: 'ICCV 2021',
    reason: `${segmentation}, ${detection}`,
  },
  FBKD: { title: 'foreground attention and non-local relations', venue: 'ICLR 2021', reason: detection },
  'PKD (Pearson)': { title: 'standardized feature pyramids', venue: 'NeurIPS 2022', reason: detection },
  BERT2LSTM: { title: 'an LSTM from BERT', venue: 'arXiv 2019', reason: 'language' },
  NORM: { title: "many of the student's channels for each of the teacher's", venue: 'ICLR 2023', reason: later },
  FCFD: { title: "features passed through the other's later layers", venue: 'ICLR 2023', reason: later },
  KDCL: { title: 'peers learn from the best combination of their logits', venue: 'CVPR 2020', reason: later },
  CRCD: { title: 'contrast of relations', venue: 'CVPR 2021', reason: 'the published code does not run' },
  CMI: {
    title: 'inverted images, told apart by contrast',
    venue: 'IJCAI 2021',
    reason: 'keeps a growing pool of images',
  },
};

/** A method here with the option that makes it the same. */
interface Here {
  readonly method: string;
  readonly option: string;
}

export interface Framework {
  readonly repository: string;
  /** The commit that was read. */
  readonly commit: string;
  /** Which of its files have the names. */
  readonly files: string;
  /** Names in those files: the method here, a key of `absent`, or 'building block' for what is no method by itself. */
  readonly methods: Readonly<Record<string, string | Here>>;
}

export const frameworks: Readonly<Record<string, Framework>> = {
  torchdistill: {
    repository: 'yoshitomo-matsubara/torchdistill',
    commit: '3e4373c',
    files: 'classes registered in `torchdistill/losses/mid_level.py`',
    methods: {
      KDLoss: 'kd',
      FSPLoss: 'fsp',
      ATLoss: 'at',
      PKTLoss: 'pkt',
      FTLoss: 'ft',
      AltActTransferLoss: 'ab',
      RKDLoss: 'rkd',
      VIDLoss: 'vid',
      CCKDLoss: 'cc',
      SPKDLoss: 'sp',
      CRDLoss: 'crd',
      AuxSSKDLoss: 'SSKD',
      SSKDLoss: 'SSKD',
      PADL2Loss: 'pad',
      HierarchicalContextLoss: 'reviewkd',
      RegularizationLoss: 'building block',
      KTALoss: 'KTAAD',
      AffinityLoss: 'KTAAD',
      ChSimLoss: 'ickd',
      DISTLoss: 'dist',
      SRDLoss: 'srd',
      LogitStdKDLoss: { method: 'kd', option: '"standardize": true' },
      DISTPlusLoss: 'DIST+',
      SKDInstanceLoss: 'SKD',
      SKDDirectionLoss: 'SKD',
    },
  },
  mdistiller: {
    repository: 'megvii-research/mdistiller',
    commit: 'a08d46f',
    files: '`distiller_dict` of `mdistiller/distillers/__init__.py`',
    methods: {
      NONE: 'nokd',
      KD: 'kd',
      AT: 'at',
      OFD: 'ofd',
      RKD: 'rkd',
      FITNET: 'fitnet',
      KDSVD: 'KDSVD',
      CRD: 'crd',
      NST: 'nst',
      PKT: 'pkt',
      SP: 'sp',
      VID: 'vid',
      REVIEWKD: 'reviewkd',
      DKD: 'dkd',
    },
  },
  RepDistiller: {
    repository: 'HobbitLong/RepDistiller',
    commit: 'b84f547',
    files: 'choices of `--distill`',
    methods: {
      kd: 'kd',
      hint: 'fitnet',
      attention: 'at',
      similarity: 'sp',
      correlation: 'cc',
      vid: 'vid',
      crd: 'crd',
      kdsvd: 'KDSVD',
      fsp: 'fsp',
      rkd: 'rkd',
      pkt: 'pkt',
      abound: 'ab',
      factor: 'ft',
      nst: 'nst',
    },
  },
  KD_Lib: {
    repository: 'SforAiDl/KD_Lib',
    commit: 'a94d236',
    files: 'names that `KD_Lib/KD/__init__.py` imports',
    methods: {
      BANN: 'bann',
      CSKD: 'cskd',
      DML: 'dml',
      RCO: 'RCO',
      TAKD: 'takd',
      Attention: 'at',
      LabelSmoothReg: { method: 'kd', option: '"errors": "smooth"' },
      MeanTeacher: 'mean_teacher',
      MessyCollab: 'private ensembles',
      NoisyTeacher: { method: 'kd', option: '"noise": {}' },
      ProbShift: { method: 'kd', option: '"errors": "swap"' },
      RKDLoss: 'rkd',
      SelfTraining: { method: 'bann', option: '"generations": 1' },
      SoftRandom: 'private ensembles',
      VanillaKD: 'kd',
      VirtualTeacher: 'tfkd',
      BERT2LSTM: 'BERT2LSTM',
    },
  },
  mmrazor: {
    repository: 'open-mmlab/mmrazor',
    commit: '90c7af1',
    files: '`__all__` of `mmrazor/models/losses/__init__.py`, and folders of `configs/distill/mmcls`',
    methods: {
      ChannelWiseDivergence: 'CWD',
      KLDivergence: 'kd',
      AngleWiseRKD: 'rkd',
      DistanceWiseRKD: 'rkd',
      WSLD: 'wsld',
      L2Loss: 'building block',
      ABLoss: 'ab',
      DKDLoss: 'dkd',
      KDSoftCELoss: 'kd',
      ActivationLoss: 'dafl',
      OnehotLikeLoss: 'dafl',
      InformationEntropyLoss: 'dafl',
      FTLoss: 'ft',
      ATLoss: 'at',
      OFDLoss: 'ofd',
      L1Loss: 'building block',
      FBKDLoss: 'FBKD',
      CRDLoss: 'crd',
      CrossEntropyLoss: 'building block',
      PKDLoss: 'PKD (Pearson)',
      MGDLoss: 'mgd',
      DISTLoss: 'dist',
      abloss: 'ab',
      byot: 'byot',
      crd: 'crd',
      dafl: 'dafl',
      deit: 'distillation token',
      dfad: 'dfad',
      dist: 'dist',
      dkd: 'dkd',
      factor_transfer: 'ft',
      fitnets: 'fitnet',
      kd: 'kd',
      ofd: 'ofd',
      rkd: 'rkd',
      wsld: 'wsld',
      zskt: 'zskt',
    },
  },
  'KD-Zoo': {
    repository: 'AberHu/Knowledge-Distillation-Zoo',
    commit: '65470c8',
    files: 'files of `kd_losses`',
    methods: {
      ab: 'ab',
      afd: 'AFD (Wang)',
      at: 'at',
      bss: 'BSS',
      cc: 'cc',
      crd: 'crd',
      dml: 'dml',
      fitnet: 'fitnet',
      fsp: 'fsp',
      ft: 'ft',
      irg: 'irg',
      logits: 'logits_mse',
      lwm: 'LwM',
      nst: 'nst',
      ofd: 'ofd',
      pkt: 'pkt',
      rkd: 'rkd',
      sobolev: 'Sobolev',
      sp: 'sp',
      st: 'kd',
      vid: 'vid',
    },
  },
  SimKD: {
    repository: 'DefangChen/SimKD',
    commit: '2b389c3',
    files: 'choices of `--distill`',
    methods: {
      kd: 'kd',
      hint: 'fitnet',
      attention: 'at',
      similarity: 'sp',
      vid: 'vid',
      crd: 'crd',
      semckd: 'semckd',
      srrl: 'srrl',
      simkd: 'SimKD',
    },
  },
  cls_KD: {
    repository: 'yzd-v/cls_KD',
    commit: '1e5d48f',
    files: 'classes in `mmcls/models/dis_losses`',
    methods: {
      DKDLoss: 'dkd',
      KDLoss: 'kd',
      MGDLoss: 'mgd',
      NKDLoss: 'nkd',
      SRRLLoss: 'srrl',
      USKDLoss: 'uskd',
      ViTKDLoss: 'ViTKD',
      WSLDLoss: 'wsld',
    },
  },
};

/** What a framework calls a method, in the order of its files; options are those that make the method here the same. */
export interface NameElsewhere {
  readonly name: string;
  readonly option?: string;
}

/** The names by which a framework has a method of the index, or one that is absent here. */
export function namesIn(framework: Framework, method: string): NameElsewhere[] {
  return Object.entries(framework.methods).flatMap(([name, counterpart]): NameElsewhere[] => {
    if (typeof counterpart === 'string') return counterpart === method ? [{ name }] : [];
    return counterpart.method === method ? [{ name, option: counterpart.option }] : [];
  });
}

/** The methods of a framework that are here, and those that are not, each once; training without a teacher is none. */
export function countedIn({ methods }: Framework): { here: string[]; missing: string[] } {
  const all = Object.values(methods).map((one) => (typeof one === 'string' ? one : `${one.method} ${one.option}`));
  const distinct = [...new Set(all)].filter((one) => one !== 'building block' && one !== 'nokd');
  return {
    here: distinct.filter((one) => !Object.hasOwn(absent, one)),
    missing: distinct.filter((one) => Object.hasOwn(absent, one)),
  };
}
