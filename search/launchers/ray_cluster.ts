/** Ray as all jobs of a search see it: the REST API of Ray Jobs, which waits for a head that is away, and one look at all jobs. */
import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { messageOf, UserError } from '../../utils/errors';
import { isObject } from '../../utils/json';
import type { Log } from '../../utils/logger';
import { LauncherFault } from './launcher';
import { Outage, type Patience } from './outage';
import type { RayRequest } from './ray_options';

/** What Ray says of a job (`JobDetails`). */
export interface RayState {
  /** PENDING, RUNNING, STOPPED, SUCCEEDED or FAILED; UNKNOWN where Ray has forgotten the job. */
  readonly status: string;
  /** What went wrong where it was not the trainer. */
  readonly errorType?: string;
  readonly message: string;
  /** Negative: the signal that ended the trainer. */
  readonly exitCode?: number;
}

const FORGOTTEN: RayState = { status: 'UNKNOWN', message: '' };

export const isOver = ({ status }: RayState) => !['PENDING', 'RUNNING'].includes(status);

const LONGEST_REQUEST = 60_000;

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Where the head is, as Ray's own command line finds it. */
export function rayAddress(address = process.env.RAY_API_SERVER_ADDRESS || 'http://127.0.0.1:8265'): string {
  return address.replace(/\/+$/, '');
}

/** Throws a UserError, without the password in the address, where no Ray answers there. */
export async function requireRay(address: string): Promise<void> {
  const needs = '"launcher": "ray" needs the address of the dashboard of a Ray head';
  const shown = address.replace(/\/\/[^/]*@/, '//');
  let answer: Answer;
  try {
    answer = await send(address, '/api/version');
  } catch (error) {
    throw new UserError(`${shown}: no Ray (${messageOf(error)}); ${needs}`);
  }
  if (answer.status === 401 || answer.status === 403) {
    throw new UserError(`${shown}: Ray refuses access (HTTP ${answer.status}); set RAY_AUTH_TOKEN`);
  }
  if (!answer.text.includes('ray_version')) throw new UserError(`${shown}: no Ray (HTTP ${answer.status}); ${needs}`);
}

export class RayCluster {
  private latest: Promise<ReadonlyMap<string, RayState>> = Promise.resolve(new Map());
  private askedAt = -Infinity;
  private readonly outage: Outage;

  constructor(
    readonly address: string,
    readonly log: Log,
    isInterrupted: () => boolean,
    readonly pollMs: number,
    patience?: Patience,
  ) {
    this.outage = new Outage('Ray', log, isInterrupted, patience);
  }

  /** All jobs by their submission IDs, as they were a moment ago, or are just now. */
  jobs(isUrgent = false): Promise<ReadonlyMap<string, RayState>> {
    if (isUrgent || performance.now() - this.askedAt >= this.pollMs) {
      this.askedAt = performance.now();
      this.latest = this.list();
      // Whoever waits for it learns of a fault.
      this.latest.catch(() => {});
    }
    return this.latest;
  }

  /** What Ray says of a job. Waits where Ray does not answer. */
  async look(id: string, isUrgent = false): Promise<RayState> {
    const known = (await this.jobs(isUrgent)).get(id);
    if (known !== undefined) return known;
    // It may have been submitted since the last look.
    const { status, text } = await this.request(pathOf(id));
    return status === 404 ? FORGOTTEN : stateIn(parsed(text, status, pathOf(id)));
  }

  /** Submits a job, once, however often the answer gets lost. Throws a UserError where Ray refuses it. */
  async submit(body: RayRequest): Promise<void> {
    const { status, text } = await this.request('/api/jobs/', body);
    if (status !== 200 && !text.includes('already exists')) throw new UserError(`Ray: ${lastLine(text, status)}`);
  }

  /** Has Ray end a job: it sends SIGTERM, and SIGKILL to one that does not end. */
  async stop(id: string): Promise<void> {
    await this.request(`${pathOf(id)}/stop`, {});
  }

  private async list(): Promise<ReadonlyMap<string, RayState>> {
    const { status, text } = await this.request('/api/jobs/');
    const list = parsed(text, status, '/api/jobs/');
    const jobs = Array.isArray(list) ? list.filter(isObject) : [];
    return new Map(jobs.map((job) => [String(job.submission_id), stateIn(job)]));
  }

  private async request(path: string, body?: object): Promise<Answer> {
    for (;;) {
      let trouble: string;
      try {
        const answer = await send(this.address, path, body);
        const isAway = answer.status > 500 || (answer.status === 500 && /agent/i.test(lastLine(answer.text, 500)));
        if (!isAway) {
          this.outage.end();
          return answer;
        }
        trouble = lastLine(answer.text, answer.status);
      } catch (error) {
        trouble = messageOf(error);
      }
      await this.outage.wait(trouble, () => this.pollMs);
    }
  }
}

const pathOf = (id: string) => `/api/jobs/${encodeURIComponent(id)}`;

/**
 * One request; rejects with an Error of one line where there is no answer. Not by `fetch`, whose header `Sec-Fetch-Mode` is what
 * Ray knows browsers by, from which it takes no jobs.
 */
function send(address: string, path: string, body?: object): Promise<Answer> {
  const url = new URL(`${address}${path}`);
  const token = process.env.RAY_AUTH_TOKEN;
  const options = {
    method: body ? 'POST' : 'GET',
    signal: AbortSignal.timeout(LONGEST_REQUEST),
    headers: {
      ...(body && { 'content-type': 'application/json' }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
  };
  return new Promise((resolve, reject) => {
    const fail = ({ code, message }: NodeJS.ErrnoException) => reject(new Error(code ?? message));
    const request = (url.protocol === 'https:' ? https : http).request(url, options, (response) => {
      text(response).then((said) => resolve({ status: response.statusCode ?? 0, text: said }), fail);
    });
    request.on('error', fail);
    request.end(body && JSON.stringify(body));
  });
}

function stateIn(job: unknown): RayState {
  const { status, message, error_type: errorType, driver_exit_code: exitCode } = isObject(job) ? job : {};
  return {
    status: typeof status === 'string' ? status : FORGOTTEN.status,
    message: typeof message === 'string' ? message : '',
    ...(typeof errorType === 'string' && { errorType }),
    ...(typeof exitCode === 'number' && { exitCode }),
  };
}

function parsed(text: string, status: number, path: string): unknown {
  try {
    if (status === 200) return JSON.parse(text);
  } catch {
    // As any other answer that is none.
  }
  throw new LauncherFault(`Ray: ${path}: ${lastLine(text, status)}`);
}

/** Ray answers with stack traces of Python, whose last line says what is wrong. */
function lastLine(text: string, status: number): string {
  const line = text.trim().split('\n').at(-1)!.trim().slice(0, 300);
  return line === '' ? `HTTP ${status}` : line;
}
