/** What a terminal shows after a program has written to it: as much of one as progress bars use. */

/** The rows of a screen of `height` rows, and those that have scrolled out of it above, without empty ones at the end. */
export function screenOf(text: string, height = 24): string[] {
  const rows: string[] = [''];
  let [row, column] = [0, 0];
  const top = () => Math.max(0, rows.length - height);
  for (const [piece, count, control] of text.matchAll(/\x1b\[(\d*)([A-Za-z])|[\s\S]/g)) {
    if (control === 'A') row = Math.max(top(), row - Number(count || 1));
    else if (control === 'K') rows[row] = rows[row]!.slice(0, column);
    else if (control === 'J') rows.splice(row, Infinity, rows[row]!.slice(0, column));
    else if (control !== undefined) throw new Error(`an unknown sequence: ${JSON.stringify(piece)}`);
    else if (piece === '\r') column = 0;
    else if (piece === '\n') {
      // The terminal driver adds the return.
      [row, column] = [row + 1, 0];
      if (row === rows.length) rows.push('');
    } else {
      rows[row] = rows[row]!.slice(0, column).padEnd(column) + piece + rows[row]!.slice(column + 1);
      column++;
    }
  }
  while (rows.length > 0 && rows.at(-1) === '') rows.pop();
  return rows;
}
