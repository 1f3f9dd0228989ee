/** The distillation methods by their names in params.json. */
import type { Aliases } from '../../utils/aliases';
import { dafl } from './data_free/dafl';
import { dataFree } from './data_free/data_free';
import { datasetDistillation } from './data_free/dataset_distillation';
import { dfad } from './data_free/dfad';
import { zskt } from './data_free/zskt';
import type { Distiller } from './distiller';
import { ab } from './features/ab';
import { afd } from './features/afd';
import { at } from './features/at';
import { catkd } from './features/catkd';
import { embedding } from './features/embedding';
import { fitnet } from './features/fitnet';
import { ft } from './features/ft';
import { ickd } from './features/ickd';
import { mgd } from './features/mgd';
import { nst } from './features/nst';
import { ofd } from './features/ofd';
import { pad } from './features/pad';
import { pefd } from './features/pefd';
import { pkd } from './features/pkd';
import { reviewkd } from './features/reviewkd';
import { semckd } from './features/semckd';
import { sfd } from './features/sfd';
import { softmaxHint } from './features/softmax_hint';
import { srd } from './features/srd';
import { srrl } from './features/srrl';
import { vid } from './features/vid';
import { vkd } from './features/vkd';
import { ctkd } from './logits/ctkd';
import { deit } from './logits/deit';
import { dist } from './logits/dist';
import { dkd } from './logits/dkd';
import { kd } from './logits/kd';
import { logitsMse } from './logits/logits_mse';
import { mlkd } from './logits/mlkd';
import { multikd } from './logits/multikd';
import { nkd } from './logits/nkd';
import { rld } from './logits/rld';
import { sdd } from './logits/sdd';
import { takd } from './logits/takd';
import { ttm, wttm } from './logits/ttm';
import { uda } from './logits/uda';
import { unlabeled } from './logits/unlabeled';
import { wsld } from './logits/wsld';
import { nokd } from './nokd';
import { dml } from './online/dml';
import { meanTeacher } from './online/mean_teacher';
import { okddip } from './online/okddip';
import { one } from './online/one';
import { cc } from './relations/cc';
import { crd } from './relations/crd';
import { dcd } from './relations/dcd';
import { fsp } from './relations/fsp';
import { irg } from './relations/irg';
import { pkt } from './relations/pkt';
import { rkd } from './relations/rkd';
import { sp } from './relations/sp';
import { triplet } from './relations/triplet';
import { bann } from './self/bann';
import { byot } from './self/byot';
import { cskd } from './self/cskd';
import { tfkd } from './self/tfkd';
import { uskd } from './self/uskd';

export type { Distiller, DistillContext, KlReduction, Losses, MethodParams, Phase, Stage } from './distiller';

export const distillers: Readonly<Record<string, Distiller>> = {
  nokd,
  kd,
  multikd,
  unlabeled,
  logits_mse: logitsMse,
  softmax_hint: softmaxHint,
  triplet,
  dkd,
  nkd,
  ttm,
  wttm,
  wsld,
  rld,
  mlkd,
  ctkd,
  sdd,
  dist,
  deit,
  srrl,
  tfkd,
  uskd,
  byot,
  cskd,
  bann,
  mean_teacher: meanTeacher,
  one,
  okddip,
  at,
  cc,
  fsp,
  nst,
  pkd,
  pkt,
  rkd,
  irg,
  sfd,
  sp,
  vid,
  fitnet,
  ab,
  ofd,
  ft,
  afd,
  semckd,
  ickd,
  catkd,
  mgd,
  pad,
  pefd,
  srd,
  vkd,
  embedding,
  crd,
  dcd,
  reviewkd,
  uda,
  takd,
  dml,
  dafl,
  zskt,
  dfad,
  data_free: dataFree,
  dataset_distillation: datasetDistillation,
};

const ofDistiller = 'karanchahal/distiller';

/** Old names of methods. */
export const methodAliases: Aliases = {
  oh: { name: 'ofd', origin: `${ofDistiller}: overhaul` },
  fd: { name: 'sfd', origin: `${ofDistiller}: feature distillation` },
  datafree: { name: 'data_free', origin: 'earlier versions' },
  dataset: { name: 'dataset_distillation', origin: 'earlier versions' },
};
