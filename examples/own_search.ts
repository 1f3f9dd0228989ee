/** A search of one's own: `npx ts-node examples/own_search.ts` */
import { createStudy } from 'distillery';

const study = createStudy({
  direction: 'minimize',
  sampler: { name: 'tpe', startup_trials: 8 },
  pruner: 'median',
  space: { x: { low: -5, high: 5 }, shape: ['bowl', 'cone'] },
});

for (let i = 0; i < 40; i++) {
  const trial = study.ask();
  const { x, shape } = trial.params;
  const goal = shape === 'bowl' ? (x - 2) ** 2 : 1 + Math.abs(x - 2);
  for (let step = 1; step <= 10 && !trial.shouldPrune(); step++) trial.report(step, goal + 5 / step);
  study.tell(trial, trial.shouldPrune() ? { state: 'pruned' } : goal);
}

const pruned = study.trials.filter(({ state }) => state === 'pruned');
console.log(`best ${study.best?.value.toFixed(4)} at ${JSON.stringify(study.best?.params)}, ${pruned.length} pruned`);
