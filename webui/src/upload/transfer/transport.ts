// How files travel: by Uppy, with tus where the uploader speaks it (a broken upload goes on where it stopped), else as
// plain forms. Uppy sees only the few files that are on their way, as its cost grows with the files that it knows.

import Uppy, { type UppyFile } from '@uppy/core'
import Tus from '@uppy/tus'
import XHRUpload from '@uppy/xhr-upload'
import { problemOf, type Stored, tellSignedOut, uploader, type UploaderPath } from '../../api/client'
import { t } from '../../words/texts'
import { AT_ONCE, Away, type Entry, Lost, Refused, type Transport } from './queue'

type Meta = { recipe: string; filename: string; relativePath: string; entry: number }
type Body = Partial<Stored> & { xhr?: XMLHttpRequest }
type Sent = UppyFile<Meta, Body>

interface Waiter {
  progress: (sent: number) => void
  resolve: (image: string) => void
  reject: (error: unknown) => void
}

const FORM = '/upload' satisfies UploaderPath
const TUS = '/upload/tus/' satisfies UploaderPath
const ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i
/** The way or the server is at fault, and the same file may be taken later. */
const LATER = new Set([408, 423, 500, 502, 504])
/** The server takes nothing for now: it wants a token, or asks to be left alone for a while. */
const AWAY = new Set([401, 429, 503])
/** The upload was ended, has expired or is elsewhere: asking for its offset, or beginning anew, helps. */
const ASK_AGAIN = new Set([404, 409, 410])
/** Somebody else holds the upload, mostly a connection of our own that broke and that the server still waits for. */
const HELD = new Set([409, 423])
/** Smaller files go in one request, which a broken connection does not make much longer. */
const SMALL = 512 * 1024

export async function createTransport(): Promise<Transport> {
  const isResumable = await speaksTus()
  const uppy = new Uppy<Meta, Body>({ autoProceed: true, allowMultipleUploadBatches: true, debug: false })
  if (isResumable) {
    uppy.use(Tus, {
      endpoint: new URL(TUS, location.href).href,
      limit: AT_ONCE,
      // a server that is away is the queue's business: the plugin would take its absence for the upload's, and begin anew
      retryDelays: [300, 1000, 2000, 4000, 8000, 8000],
      onShouldRetry: (error, _attempt, _options, next) => HELD.has(error.originalResponse?.getStatus() ?? 0) && next(error),
      removeFingerprintOnSuccess: true,
      allowedMetaFields: ['filename', 'recipe'],
    })
  } else {
    uppy.use(XHRUpload, {
      endpoint: FORM,
      fieldName: 'file',
      limit: AT_ONCE,
      timeout: 120_000,
      allowedMetaFields: ['recipe'],
      shouldRetry: () => false,
    })
  }
  return new UppyTransport(uppy, isResumable)
}

async function speaksTus(): Promise<boolean> {
  const { response } = await uploader.OPTIONS(TUS).catch(() => ({ response: undefined }))
  if (!response || response.status >= 500) throw new Lost(problemOf(response?.status ?? 0, '').message)
  return response.ok && (response.headers.get('Tus-Extension') ?? '').includes('creation')
}

class UppyTransport implements Transport {
  #waiters = new Map<string, Waiter>()
  #paused = new Map<number, string>()

  constructor(
    private readonly uppy: Uppy<Meta, Body>,
    private readonly isResumable: boolean,
  ) {
    uppy.on('upload-progress', (file, progress) => this.#waiter(file)?.progress(progress.bytesUploaded))
    uppy.on('upload-success', (file, response) => {
      const image = response.body?.uuid ?? ID.exec(response.uploadURL ?? '')?.[0] ?? ''
      this.#end(file, (waiter) => waiter.resolve(image))
    })
    uppy.on('upload-error', (file, error, response) => {
      const reason = reasonOf(error, isResumable, response?.body?.xhr)
      this.#end(file, (waiter) => waiter.reject(reason))
    })
  }

  send(entry: Entry, progress: (sent: number) => void, signal: AbortSignal): Promise<string> {
    return new Promise((resolve, reject) => {
      if (!entry.file) return reject(new Refused(t.problems.gone))
      let id = ''
      signal.addEventListener('abort', () => {
        this.#stop(entry.id, id, signal.reason !== 'cancel')
        reject(new DOMException('stopped', 'AbortError'))
      })
      const waiter = { progress, resolve, reject }
      const paused = this.#paused.get(entry.id)
      if (paused && this.uppy.getFile(paused)) {
        this.#paused.delete(entry.id)
        this.#waiters.set((id = paused), waiter)
        this.uppy.pauseResume(paused)
        return
      }
      id = this.#add(entry, entry.file, waiter)
    })
  }

  forget(entry: number): void {
    const id = this.#paused.get(entry)
    this.#paused.delete(entry)
    if (id && this.uppy.getFile(id)) this.uppy.removeFile(id)
  }

  #add(entry: Entry, file: File, waiter: Waiter): string {
    const name = file.name
    // the same file with the same recipe has the same id in Uppy, so that it is found again after a reload; at once it needs two
    for (let copy = 0; ; copy++) {
      const relativePath = `${entry.recipe}/${entry.name}${copy ? `#${copy}` : ''}`
      const known = this.uppy.getFiles().some((other) => other.meta.relativePath === relativePath && other.size === file.size)
      if (known) continue
      const id = this.uppy.addFile({
        name,
        type: file.type || 'application/octet-stream',
        data: file,
        source: 'page',
        meta: { recipe: entry.recipe, filename: name, relativePath, entry: entry.id },
      })
      if (this.isResumable && file.size < SMALL) this.uppy.setFileState(id, { tus: { uploadDataDuringCreation: true } })
      this.#waiters.set(id, waiter)
      return id
    }
  }

  #stop(entry: number, id: string, isPause: boolean): void {
    this.#waiters.delete(id)
    const file = this.uppy.getFile(id)
    if (!file) return
    // one that is paused before it has begun would never begin: the plugin goes by what it was told at first
    if (isPause && this.isResumable && file.progress.uploadStarted) {
      this.#paused.set(entry, id)
      this.uppy.pauseResume(id)
    } else this.uppy.removeFile(id)
  }

  #waiter(file: Sent | undefined): Waiter | undefined {
    return file && this.#waiters.get(file.id)
  }

  #end(file: Sent | undefined, tell: (waiter: Waiter) => void): void {
    const waiter = this.#waiter(file)
    if (!file || !waiter) return
    this.#waiters.delete(file.id)
    tell(waiter)
    // after Uppy's own work on the event
    setTimeout(() => this.uppy.getFile(file.id) && this.uppy.removeFile(file.id))
  }
}

/** What went wrong, told apart by whether the same file would be refused again. */
function reasonOf(error: unknown, isResumable: boolean, given?: XMLHttpRequest): Error {
  const details = error as { request?: XMLHttpRequest; originalResponse?: { getUnderlyingObject(): XMLHttpRequest } | null }
  const xhr = given ?? details.originalResponse?.getUnderlyingObject() ?? details.request
  const status = xhr?.status ?? 0
  const problem = problemOf(status, xhr && (xhr.responseType === '' || xhr.responseType === 'text') ? xhr.responseText : '')
  if (status === 401) tellSignedOut()
  if (AWAY.has(status)) return new Away(problem.message)
  if (!status) return new Lost(t.problems.broken)
  return LATER.has(status) || (isResumable && ASK_AGAIN.has(status)) ? new Lost(problem.message) : new Refused(problem.message)
}
