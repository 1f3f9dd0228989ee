/** What params.json says of a teacher that is an ONNX file. */
import { UserError } from '../../../utils/errors';
import { isObject } from '../../../utils/json';
import { mistakes } from '../../../utils/schema';
import { object, oneOf, text, type Options } from '../../../utils/schema_forms';
import { normalizeSchema, type NormalizeParams } from '../../data/normalize';
import { imageSide } from '../../nets/net_params';
import { outputsSchema, type NamedOutputs } from '../../nets/onnx_outputs';

/** Any classifier in an ONNX file. */
export interface OnnxTeacherParams {
  /** Path of the file. */
  readonly onnx: string;
  /** The order of its input's axes; those of an image that are one axis in brackets. */
  readonly layout: (typeof layouts)[number];
  /** The order of its channels if it differs from that of the images. */
  readonly channels?: 'RGB' | 'BGR' | 'gray';
  /** Side of its images in pixels; by default the size that the model fixes, or else that of the data set. */
  readonly size?: number;
  /** The value of white before normalization; 1 by default, 255 for a model with byte input. */
  readonly range?: 1 | 255;
  /** The student's by default. */
  readonly normalize?: NormalizeParams;
  readonly output: (typeof kinds)[number];
  /** Name of the output; by default the only one that fits. */
  readonly output_name?: string;
  /** Values inside that methods look at; those found by themselves where absent. */
  readonly outputs?: NamedOutputs;
  /** The column of each class of the data set, or a file with the names of all columns. */
  readonly classes?: number[] | string;
}

const layouts = ['NCHW', 'NHWC', 'NHW', 'N(CHW)', 'N(HWC)'] as const;
/** What the output of a file is; an embedding is a vector of any length, and no logits. */
const kinds = ['logits', 'probabilities', 'embedding'] as const;
/** Columns of a teacher's output. */
const MAX_COLUMNS = 2 ** 20;

/** The options of such a teacher; `classes` and `outputs` have the forms that are given. */
export const onnxOptions = ({ classes, outputs }: Readonly<Record<string, unknown>>): Options => ({
  onnx: text({ title: 'The file.' }),
  layout: oneOf(layouts, {
    default: 'NCHW',
    title: 'Axes of the input.',
  }),
  channels: oneOf(['RGB', 'BGR', 'gray'], {
    title: 'Channels of the input; by default those of the file, or of the images.',
  }),
  size: imageSide('Side of its images in pixels; by default that of the model, or of the images.'),
  range: oneOf([1, 255], {
    title: 'The value of white before normalization; 1 by default, 255 for a uint8 model.',
  }),
  normalize: normalizeSchema('Mean and standard deviation of its channels; by default those of the student.'),
  output: oneOf(kinds, { default: 'logits', title: 'What the output is.' }),
  output_name: text({
    minLength: 1,
    description: 'the name of an output',
    title: 'The output; by default the only one that fits.',
  }),
  outputs: outputsSchema(
    outputs,
    'Values inside the file by what methods call them: `pooled`, `stage1`, …, or names of your own.',
  ),
  classes: {
    ...(Array.isArray(classes)
      ? {
          type: 'array',
          items: {
            type: 'integer',
            minimum: 0,
            maximum: MAX_COLUMNS - 1,
            description: 'a column, an integer from 0',
          },
        }
      : text()),
    description: 'an array with a column for each class, from 0, or a file with the names of all columns',
    title: 'The column of the output for each class of the data set.',
  },
});

/** Checks a teacher that is an ONNX file, as `teacher` in params.json; `source` names it in the lines of the UserError. */
export function parseOnnxTeacher(content: unknown, source: string): OnnxTeacherParams {
  const teacher = isObject(content) ? { ...content } : content;
  const lines = mistakes(object(onnxOptions(isObject(teacher) ? teacher : {}), ['onnx']), teacher);
  if (lines.length > 0) throw new UserError(lines.map((line) => `${source}: ${line}`).join('\n'), 2);
  return teacher as OnnxTeacherParams;
}
