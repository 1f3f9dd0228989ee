/** A page that --watch serves asks for newer data every two seconds. */
import type { PageData } from '../data';

const SECONDS = 2;

/** Hands over data that have changed until they are taken (true), and tells whether the server answers. Never returns. */
export async function followData(
  onData: (data: PageData) => boolean,
  onState: (state: string) => void,
): Promise<never> {
  let tag = '';
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
    if (document.hidden) continue;
    try {
      const response = await fetch('data.json', { cache: 'no-store', headers: { 'if-none-match': tag } });
      if (response.status === 200) {
        const isTaken = onData((await response.json()) as PageData);
        if (isTaken) tag = response.headers.get('etag') ?? '';
      } else if (response.status !== 304) {
        throw new Error(await response.text());
      }
      onState('live');
    } catch (error) {
      onState(error instanceof TypeError ? 'no connection' : String((error as Error).message));
    }
  }
}
