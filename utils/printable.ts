/** Makes text from untrusted files and names safe to print on a terminal. */

/**
 * The text without control characters and invisible marks, which could control the terminal; line feeds and tabs stay.
 */
export function printable(text: string): string {
  return text.replace(/(?![\n\t])[\p{Cc}\p{Cf}\u2028\u2029]+/gu, '�');
}
