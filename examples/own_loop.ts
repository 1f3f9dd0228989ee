/** A loop of one's own: `npx ts-node examples/own_loop.ts` */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { distill, loadDataset } from 'distillery';

async function main(): Promise<void> {
  const run = await distill({
    student: 'cnn',
    net: { numChannels: 16, dropoutRate: 0 },
    dataset: await loadDataset({ name: 'shapes', train: 1000, test: 200 }),
    batchSize: 16,
    augment: false,
    teacher: { model: 'resnet20', checkpoint: 'experiments/quickstart/teacher/best.safetensors' },
    method: 'kd',
    temperature: 4,
  });
  for (let epoch = 1; epoch <= 3; epoch++) {
    const { loss } = await run.trainEpoch({ learningRate: 3e-3 });
    const { accuracy } = await run.validate();
    console.log(`epoch ${epoch}: loss ${loss?.toFixed(3)}, validation accuracy ${accuracy.toFixed(3)}`);
  }
  await run.save(join(tmpdir(), 'student.safetensors'));
  await run.release();
}

void main();
