/** Checkpoints in tests: tensors in the form in which the Python scripts of test/fixtures write what they expect. */
import { expect } from 'chai';
import { bytesOf, type NamedArrays } from '../../formats/ndarray';
import { UserError } from '../../utils/errors';

/** Name, dtype, shape, and the little-endian bytes in hex. */
export type Row = [string, string, number[], string];

export function rowsOf(tensors: NamedArrays): Row[] {
  return [...tensors].map(([name, array]) => [
    name,
    array.dtype,
    [...array.shape],
    Buffer.from(bytesOf(array)).toString('hex'),
  ]);
}

/** The message of the UserError with which `action` must fail; it must be one line that names `path`. */
export async function complaintOf(path: string, action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    expect(error).to.be.instanceOf(UserError);
    const { message } = error as UserError;
    expect(message).not.to.match(/[\x00-\x1f]/);
    expect(message.startsWith(`${path}: `), message).to.equal(true);
    return message.slice(path.length + 2);
  }
  return expect.fail(`${path} was read`);
}
