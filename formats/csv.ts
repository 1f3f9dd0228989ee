/**
 * Reads tables in text files: one row per line, cells separated by one character, in double quotes if they contain it.
 */

/** The rows; ignores blanks around cells, empty lines and a byte order mark. */
export function parseCsv(text: string, delimiter: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = '';
  let isQuoted = false;
  const endCell = () => {
    row.push(cell.trim());
    cell = '';
  };
  const endRow = () => {
    endCell();
    if (row.length > 1 || row[0] !== '') rows.push(row);
    row = [];
  };
  for (let i = text.startsWith('\ufeff') ? 1 : 0; i < text.length; i++) {
    const character = text[i]!;
    if (isQuoted) {
      if (character !== '"') cell += character;
      else if (text[i + 1] === '"') cell += text[i++];
      else isQuoted = false;
    } else if (character === '"' && cell.trim() === '') {
      isQuoted = true;
      cell = '';
    } else if (character === delimiter) endCell();
    else if (character === '\n') endRow();
    else if (character !== '\r') cell += character;
  }
  endRow();
  return rows;
}

/** The separator of a table, detected from its first line: a tab, a comma, a semicolon, or a blank. */
export function delimiterOf(line: string): string {
  return ['\t', ',', ';'].find((delimiter) => line.includes(delimiter)) ?? ' ';
}
