/** Evaluates a checkpoint of an experiment, or an ONNX file on its images: metrics, files for NumPy, pictures. */
import { statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { getBorderCharacters, table } from 'table';
import { flops } from '../engine/analysis/flops';
import { formatPythonFloat, formatSavetxt } from '../formats/numpy_text';
import { pixelsOf, type Dataset, type Split } from '../model/data/dataset';
import { hasNoLabels } from '../model/data/index';
import { Evaluator } from '../model/evaluation/evaluator';
import {
  analyze,
  classAccuracies,
  meanByClass,
  tellingExamples,
  type Analysis,
  type Figures,
} from '../model/evaluation/metrics';
import { imagesOf, predictLogits, type Part } from '../model/evaluation/predict';
import { needsTeacher } from '../model/experiment/experiment';
import type { Params } from '../model/experiment/params';
import { deviceFor, openTrained, refuseWithoutClassifier, trainedWeights } from '../model/experiment/trained';
import { evaluationGraph, parameterCount, type Model } from '../model/nets/model';
import { hasCachedLogits, hasLogits, loadTeacher, type Teacher, type TeacherContext } from '../model/teachers';
import { onnxTeacher } from '../model/teachers/onnx';
import { parseOnnxTeacher, type OnnxTeacherParams } from '../model/teachers/onnx/params';
import { confusionPicture } from '../report/svg/confusion';
import { imagesPicture } from '../report/svg/images';
import { softTargetsPicture } from '../report/svg/soft_targets';
import { runFiles } from '../runs/files';
import { notice, oneOf, parseArguments, warning } from '../utils/cli';
import { deviceFlag, flaggedDevice } from '../utils/devices';
import { messageOf, UserError } from '../utils/errors';
import { makeWritable, writeFileAtomic, writeJson } from '../utils/files';
import { parseJson } from '../utils/json';
import { progressBar } from '../utils/progress';
import { counted, grouped } from '../utils/words';

const command = {
  name: 'evaluate.ts',
  summary: 'Evaluates a checkpoint, or an ONNX file, on the images of an experiment.',
  flags: {
    model_dir: { type: 'string', required: 'name the directory of an experiment', help: 'directory of an experiment' },
    restore_file: { type: 'string', default: 'best', help: '"best", "last" or a file with the weights' },
    split: { type: 'string', default: 'val', help: '"val", "test" or "train": which images, without augmentation' },
    temperature: {
      type: 'number',
      default: 1,
      help: 'temperature of the softmax scores, the soft targets and the KL divergence',
    },
    onnx: {
      type: 'string',
      help: 'ONNX classifier to evaluate instead of the checkpoint: a file, or an object like "teacher" in params.json',
    },
    device: deviceFlag,
    out: { type: 'string', help: 'directory for the results (default: evaluation/ in --model_dir)' },
    output: { type: 'string', help: 'the output of the ONNX file: "logits" (the default) or "probabilities"' },
  },
} as const;

const PARTS: readonly Part[] = ['val', 'test', 'train'];
/** Images in the figure of the worst losses. */
const WORST = 20;

/** A selection of images of a split. */
interface Sample {
  readonly split: Split;
  readonly indices: Uint32Array;
}

export async function evaluate(): Promise<void> {
  const args = parseArguments(process.argv.slice(2), command);
  const { model_dir: directory, restore_file, temperature } = args;
  if (!(temperature > 0)) throw new UserError(`--temperature must be greater than 0, got ${temperature}`, 2);
  const part = oneOf('split', args.split, PARTS);
  const output =
    args.output === undefined ? undefined : oneOf('output', args.output, ['logits', 'probabilities'] as const);
  const flag = flaggedDevice(args.device);

  // The images, what stands for the student – its checkpoint or a file –, and its teacher.
  let onnx: OnnxTeacherParams | undefined;
  const experiment = await openTrained(directory, restore_file, (params) => {
    onnx = args.onnx === undefined ? undefined : onnxOf(args.onnx, output, params);
    if (onnx?.output === 'embedding')
      throw new UserError(`--onnx is ${onnx.onnx}, an encoder: accepted are classifiers`, 2);
    if (!onnx) refuseWithoutClassifier(directory, params, restore_file);
    if (hasNoLabels(params.dataset))
      throw new UserError(`${directory}: no image has a label ("dataset.labels" is false)`);
    return onnx?.onnx;
  });
  const { run, params, dataset, model, file: path, threads } = experiment;
  const { split, indices } = imagesOf(part, params, dataset);
  const backend = await deviceFor(params, flag);
  const context: TeacherContext = { threads, backend, onlyLogits: true, log: (_, line) => notice(line) };
  const student = onnx
    ? await onnxTeacher(onnx, model, dataset, context)
    : await Evaluator.create(model, await trainedWeights(experiment), threads, backend);
  const teacher = await teacherFor(params, model, dataset, context, split);

  const folder = args.out ?? run.file(runFiles.evaluation);
  makeWritable(folder);

  // Their logits, and what these say.
  const bar = progressBar(indices.length, 'images');
  const logits = await predictLogits(student, split, indices, dataset, (done) => bar.update(done));
  bar.stop();
  const teacherLogits = teacher && (await predictLogits(teacher, split, indices, dataset));
  await Promise.all([student.release(), teacher?.release()]);
  const labels = Int32Array.from(indices, (example) => split.labels[example]!);
  const analysis = analyze({ logits, labels, classes: dataset.classes.length }, temperature, teacherLogits);

  // Files and a summary.
  const title = `${path} on ${indices.length} ${part} images`;
  const graph = evaluationGraph(model);
  const size = {
    bytes: statSync(path).size,
    ...(!onnx && { parameters: parameterCount(graph), flops_per_image: flops(graph) }),
  };
  const accuracies = classAccuracies(analysis.confusion).map((share) => share ?? null);
  const class_accuracy = Object.fromEntries(dataset.classes.map((name, k) => [name, accuracies[k]]));
  const evaluation = { file: path, split: part, images: indices.length, ...analysis.figures, class_accuracy, ...size };
  const name = basename(onnx ? path : restore_file).replace(/\.(onnx|safetensors|pth\.tar|pth|pt|th)$/, '');
  writeJson(join(folder, `evaluation_${part}_${name}.json`), evaluation);
  for (const [file, content] of [
    ...texts(analysis, part),
    ...(await pictures(analysis, part, title, dataset, { split, indices })),
  ])
    writeFileAtomic(join(folder, file), content);
  process.stdout.write(`${title}\n\n${summary(analysis.figures, size)}\n${classTable(analysis, dataset)}\n`);
  process.stdout.write(`Written to ${folder}\n`);
}

/**
 * The ONNX model to evaluate instead of the student, from --onnx: an object like "teacher" in params.json, or a file. A
 * file that is the teacher in params.json gets the same preprocessing.
 */
function onnxOf(text: string, output: OnnxTeacherParams['output'] | undefined, { teacher }: Params): OnnxTeacherParams {
  const told = output !== undefined && { output };
  if (text.trimStart().startsWith('{')) return { ...parseOnnxTeacher(parsed(text), '--onnx'), ...told };
  const teachers = [teacher].flat().filter((one) => typeof one === 'object' && 'onnx' in one);
  const same = teachers.find(({ onnx }) => resolve(onnx) === resolve(text));
  if (same) notice(`${text} gets the preprocessing of "teacher" in params.json`);
  return { ...(same ?? { layout: 'NCHW', output: 'logits' }), onnx: text, ...told };
}

function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw new UserError(`--onnx is not valid JSON: ${messageOf(error)}`, 2);
  }
}

/**
 * The teacher of an experiment, if it can be evaluated on the images: cached logits cover training images only. If it
 * cannot be loaded, for example because its file is missing, the evaluation runs without the comparison.
 */
async function teacherFor(
  params: Params,
  model: Model,
  dataset: Dataset,
  context: TeacherContext,
  split: Split,
): Promise<Teacher | undefined> {
  const { teacher } = params;
  if (teacher === 'none' || !needsTeacher(params)) return undefined;
  if (split !== dataset.train && hasCachedLogits(teacher)) return undefined;
  try {
    const loaded = await loadTeacher(teacher, model, dataset, context);
    if (hasLogits(loaded)) return loaded;
    await loaded.release();
    return undefined;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    warning(`${error.message}; the comparison with the teacher is skipped`);
    return undefined;
  }
}

/** Softmax scores, hits and the confusion matrix for numpy.loadtxt, by file name. */
function texts({ temperature, classes, scores, correct, confusion }: Analysis, part: Part): [string, string][] {
  const name = `${part}_temp${formatPythonFloat(temperature)}`;
  return [
    [`${name}_softmax_scores.txt`, formatSavetxt(scores, classes)],
    [`${name}_predict_correct.txt`, formatSavetxt(correct.map(Number), 1)],
    [`${name}_confusion_matrix.txt`, formatSavetxt(confusion.flat(), classes)],
  ];
}

/**
 * Figures by file name: confusion matrix, soft targets by class and of single images, and images of the worst losses.
 */
async function pictures(
  analysis: Analysis,
  part: Part,
  title: string,
  { classes: names, shape }: Dataset,
  { split, indices }: Sample,
): Promise<[string, string][]> {
  const { classes, labels, predicted, losses, scores, teacherScores, temperature } = analysis;
  const name = `${part}_temp${formatPythonFloat(temperature)}`;
  const telling = tellingExamples(analysis.confidences, analysis.correct);
  const worstOnes = Array.from(losses.keys())
    .sort((a, b) => losses[b]! - losses[a]! || a - b)
    .slice(0, WORST);
  const shown = [...telling, ...worstOnes];
  const pixels = await pixelsOf(
    split,
    Uint32Array.from(shown, (i) => indices[i]!),
    shape,
  );
  const planesOf = (i: number) => {
    const size = shape[0] * shape[1] * shape[2];
    const at = shown.indexOf(i) * size;
    return pixels.subarray(at, at + size);
  };
  const rowOf = (all: Float64Array, i: number) => all.subarray(i * classes, (i + 1) * classes);
  const nameOf = (k: number) => names[k]!;
  const [ofClass, teacherOfClass] = [scores, teacherScores].map((all) => all && meanByClass(all, labels, classes));
  const byClass = names.map((className, k) => ({
    title: `true class ${className}`,
    student: ofClass![k]!,
    ...(teacherOfClass && { teacher: teacherOfClass[k]! }),
  }));
  const examples = telling.map((i) => ({
    title: `image ${indices[i]!}, ${nameOf(labels[i]!)}`,
    student: rowOf(scores, i),
    ...(teacherScores && { teacher: rowOf(teacherScores, i) }),
    image: { planes: planesOf(i), shape },
  }));
  const worst = worstOnes.map((i) => {
    const [label, guess] = [nameOf(labels[i]!), nameOf(predicted[i]!)];
    const seen = label === guess ? label : `${label} as ${guess}`;
    return { planes: planesOf(i), shape, caption: [seen, `loss ${losses[i]!.toFixed(3)}`, `image ${indices[i]!}`] };
  });
  const soft = `soft targets at temperature ${temperature}`;
  return [
    [`${part}_confusion_matrix.svg`, confusionPicture(analysis.confusion, names, title)],
    [`${name}_soft_targets.svg`, softTargetsPicture(byClass, names, `Mean ${soft}: ${title}`)],
    [`${name}_soft_targets_examples.svg`, softTargetsPicture(examples, names, `Some ${soft}: ${title}`)],
    [`${part}_worst_images.svg`, imagesPicture(worst, `The worst losses: ${title}`)],
  ];
}

interface Size {
  readonly bytes: number;
  readonly parameters?: number;
  readonly flops_per_image?: number;
}

function summary({ teacher, loss_split, ...figures }: Figures, { bytes, parameters, flops_per_image }: Size): string {
  const groups = Object.entries(loss_split).map(([name, { count, mean, total }]) => [
    `loss of the ${name}`,
    `${counted(count, 'image')}, mean ${mean?.toFixed(4) ?? '–'}, total ${total.toFixed(2)}`,
  ]);
  return bordered([
    ['accuracy', percent(figures.accuracy)],
    ['top-5 accuracy', percent(figures.top5_accuracy)],
    ['loss', figures.loss.toFixed(4)],
    ...groups,
    ['expected calibration error', percent(figures.calibration_error)],
    ...(teacher
      ? [
          ['accuracy of the teacher', percent(teacher.accuracy)],
          ['agreement with the teacher', percent(teacher.agreement)],
          [`KL from the teacher, temperature ${teacher.temperature}`, teacher.kl_divergence.toFixed(4)],
        ]
      : []),
    ...(parameters === undefined ? [] : [['parameters', grouped(parameters)]]),
    ...(flops_per_image === undefined ? [] : [['FLOPs per image', grouped(flops_per_image)]]),
    ['bytes of the file', grouped(bytes)],
  ]);
}

function classTable({ confusion }: Analysis, { classes }: Dataset): string {
  const accuracies = classAccuracies(confusion);
  const rows = classes.map((name, k) => {
    const images = confusion[k]!.reduce((sum, count) => sum + count, 0);
    return [name, String(images), accuracies[k] === undefined ? '–' : percent(accuracies[k])];
  });
  return bordered([['class', 'images', 'accuracy'], ...rows]);
}

function bordered(rows: string[][]): string {
  return table(rows, {
    border: getBorderCharacters('norc'),
    drawHorizontalLine: (line, count) => line === 0 || line === count,
  });
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
