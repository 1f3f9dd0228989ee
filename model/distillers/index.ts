/** The distillation methods by the name that params.json calls them. */
import type { Distiller } from './distiller';
import { ab } from './ab';
import { at } from './at';
import { byot } from './byot';
import { cc } from './cc';
import { crd } from './crd';
import { cskd } from './cskd';
import { ctkd } from './ctkd';
import { datafree } from './datafree';
import { dataset } from './dataset';
import { dist } from './dist';
import { dkd } from './dkd';
import { dml } from './dml';
import { fitnet } from './fitnet';
import { fsp } from './fsp';
import { ft } from './ft';
import { kd } from './kd';
import { logitsMse } from './logits_mse';
import { mlkd } from './mlkd';
import { multikd } from './multikd';
import { nkd } from './nkd';
import { nokd } from './nokd';
import { nst } from './nst';
import { oh } from './oh';
import { one } from './one';
import { pkd } from './pkd';
import { pkt } from './pkt';
import { reviewkd } from './reviewkd';
import { rld } from './rld';
import { rkd } from './rkd';
import { sdd } from './sdd';
import { sfd } from './sfd';
import { softmaxHint } from './softmax_hint';
import { sp } from './sp';
import { srrl } from './srrl';
import { takd } from './takd';
import { tfkd } from './tfkd';
import { triplet } from './triplet';
import { ttm, wttm } from './ttm';
import { uda } from './uda';
import { unlabeled } from './unlabeled';
import { uskd } from './uskd';
import { vid } from './vid';
import { wsld } from './wsld';

export type { Distiller, Losses, Phase, Setting, Stage } from './distiller';

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
  srrl,
  tfkd,
  uskd,
  byot,
  cskd,
  one,
  at,
  cc,
  fsp,
  nst,
  pkd,
  pkt,
  rkd,
  fd: sfd,
  sfd,
  sp,
  vid,
  fitnet,
  ab,
  oh,
  ft,
  crd,
  reviewkd,
  uda,
  takd,
  dml,
  datafree,
  dataset,
};
