// The door to the API and the uploader, both on the page's own origin.

import createClient, { type Middleware } from 'openapi-fetch'
import { t } from '../words/texts'
import type { components, paths } from './api'
import type { components as uploaderComponents, paths as uploaderPaths } from './uploader'

type Schemas = components['schemas']
export type Image = Schemas['Image']
export type ImageInfo = Schemas['ImageInfo']
export type Stats = Schemas['Stats']
export type State = Schemas['State']
export type RecipeInfo = Schemas['RecipeInfo']
export type Recipe = Schemas['Recipe']
export type Marks = Schemas['Marks']
export type Mark = Schemas['Mark']
export type Session = Schemas['Session']
export type Stored = uploaderComponents['schemas']['Stored']
export type UploaderPath = keyof uploaderPaths
export type Kind = 'original' | 'processed' | 'thumbnail'

/** What the server refused, in its own words for a person. */
export class Problem extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly type = 'about:blank',
  ) {
    super(message)
    this.name = 'Problem'
  }
}

/** Reads a problem document (RFC 9457), or makes do with the status where it is none. */
export function problemOf(status: number, body: string): Problem {
  try {
    const document = JSON.parse(body) as { detail?: unknown; title?: unknown; type?: unknown }
    const text = [document.detail, document.title].find((each) => typeof each === 'string' && each)
    if (typeof text === 'string') return new Problem(text, status, String(document.type ?? 'about:blank'))
  } catch {
    // not JSON: a proxy in between answers in its own way
  }
  return new Problem(status ? t.problems.status(status) : t.problems.unreachable, status)
}

/** Milliseconds after which an answer to a question does not come any more. */
const DEADLINE = 20_000

type Listener = () => void
const signedOut = new Set<Listener>()

/** Calls back whenever the server wants a token that it has not got. */
export function onSignedOut(listener: Listener): void {
  signedOut.add(listener)
}

/** Says that the server wanted a token. */
export function tellSignedOut(): void {
  for (const listener of signedOut) listener()
}

const deadlines: Middleware = {
  onRequest: ({ request }) =>
    request.method === 'GET' ? new Request(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(DEADLINE)]) }) : undefined,
}

const problems: Middleware = {
  async onResponse({ response, schemaPath }) {
    if (response.ok) return
    if (response.status === 401 && schemaPath !== '/session') tellSignedOut()
    throw problemOf(response.status, await response.text())
  },
  onError({ error }) {
    return error instanceof DOMException && error.name === 'AbortError' ? error : new Problem(t.problems.unreachable, 0)
  },
}

const ORIGIN = globalThis.location?.origin ?? 'http://localhost'

export const api = createClient<paths>({
  baseUrl: `${ORIGIN}/api`,
  querySerializer: { array: { style: 'form', explode: true } },
})
api.use(deadlines, problems)

/** The uploader, whose answers the uploads judge by themselves. */
export const uploader = createClient<uploaderPaths>({ baseUrl: ORIGIN })

/** Whether the uploader answers within some milliseconds; on the page's origin its health stands below its own path. */
export const isUploaderThere = (patience: number): Promise<boolean> =>
  uploader.GET('/healthz', { baseUrl: `${ORIGIN}/upload`, signal: AbortSignal.timeout(patience) }).then(
    ({ response }) => response.ok,
    () => false,
  )

/** The answer's body; problems were thrown before. */
export async function data<T>(answer: Promise<{ data?: T }>): Promise<T> {
  return (await answer).data as T
}

/** Where a link of the API leads, seen from the page. */
export const href = (link: string): string => `/api/${link}`

/** Where a picture's bytes are. */
export const picture = (id: string, kind: Kind, download = false): string =>
  `/api/images/${id}/${kind}${download ? '?download=true' : ''}`

/** What an error says to a person. */
export const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
