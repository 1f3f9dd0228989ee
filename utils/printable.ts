/** Texts that may come from files and names of others, on a terminal. */

/** The text without control characters and invisible marks, which could do anything to a terminal; lines and tabs stay. */
export function printable(text: string): string {
  return text.replace(/(?![\n\t])[\p{Cc}\p{Cf}\u2028\u2029]+/gu, '�');
}
