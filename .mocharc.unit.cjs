/**
 * `npm run test:unit`: the specs for the inner loop, under a minute on two cores. All but those that train networks for
 * seconds, start scripts as processes of their own, or need a browser or Slurm: these are listed here.
 */
module.exports = {
  ...require('./.mocharc.cjs'),
  spec: ['test/rules.spec.ts', 'test/{engine,formats,model,report,runs,search,utils}/**/*.spec.ts'],
  ignore: [
    'test/engine/{training.pytorch,unoptimized}.spec.ts',
    'test/engine/analysis/half_precision.spec.ts',
    'test/engine/backends/{blocked,conformance,horizontal_fusion}.spec.ts',
    'test/engine/backends/tensorflow/kernels.spec.ts',
    'test/model/distillers/conformance.spec.ts',
    'test/model/evaluation/exported_model.spec.ts',
    'test/model/nets/{conformance,other,published_checkpoints,residual}.spec.ts',
    'test/model/training/{distillation,fit,trainer}.spec.ts',
    'test/report/page/browser.spec.ts',
    'test/search/{chaos,command,endings,faults,memory,outcome,scheduler}.spec.ts',
    'test/search/launchers/{ray,slurm}*.spec.ts',
    'test/search/trials/{elsewhere,imported,lost_results}.spec.ts',
  ],
};
