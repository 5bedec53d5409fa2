// The upload queue: thousands of files, a few of them on their way, each with its own outcome.
//
//   waiting -> checking -> ready -> sending -> done
//                 |          ^         |-> refused   the server said why, or the file cannot be read any more
//                 v          |         |-> waiting   the connection was lost; it goes on by itself
//               known -------+ "send all the same"
//
// A file whose upload is lost again and again, although the server answers, stands behind the others and is refused in
// the end: a person may try it once more.
//
// It knows neither the network nor the page: both are given to it. Files are read while they are sent, never before.

import { textOf } from '../../api/client'
import { t } from '../../words/texts'

export type EntryState = 'waiting' | 'checking' | 'known' | 'ready' | 'sending' | 'done' | 'refused' | 'cancelled'

export interface Entry {
  readonly id: number
  readonly name: string
  readonly size: number
  readonly recipe: string
  state: EntryState
  sent: number
  /** Why it was refused. */
  why: string
  /** The image it became, or the one that has the same bytes. */
  image: string
  file: File | null
  /** Sent although its bytes are known. */
  anyway: boolean
  /** By which it is kept over a reload. */
  key: string
  /** Whether its bytes count in the whole: they do from when they are to be sent, unless it is cancelled. */
  counts: boolean
}

/** An upload of an earlier page, with its file. */
export interface Restored {
  file: File
  name: string
  recipe: string
  anyway: boolean
  key: string
}

/** A file that would be refused again. */
export class Refused extends Error {}
/** A connection that broke, or a server that is away for now. */
export class Lost extends Error {}
/** A server that takes nothing for now, whichever the file. */
export class Away extends Lost {}

export interface Transport {
  /** Sends a file and returns the image's id where it is known; throws Refused, Lost, or AbortError. */
  send(entry: Entry, progress: (sent: number) => void, signal: AbortSignal): Promise<string>
  /** Ends an upload that was paused, for the server too. */
  forget(id: number): void
}

export interface Services {
  transport(): Promise<Transport>
  /** SHA-256 of a file, in hexadecimal digits. */
  digest(file: File): Promise<string>
  /** The images that have one of the digests. */
  known(digests: string[]): Promise<Record<string, string>>
  /** Whether the server answers. */
  isThere(): Promise<boolean>
  /** Why a file cannot be a picture, without looking into it; empty if it may be. */
  objection(file: File): string
  /** Why a file cannot be read any more; empty if it can. */
  unreadable(file: File): Promise<string>
  /** An upload is to be sent. */
  entered(entry: Entry): void
  /** A picture is here already. */
  found(entry: Entry): void
  /** An upload needs its file no more. */
  left(entry: Entry): void
  changed(): void
  now(): number
  sleep(milliseconds: number): Promise<void>
}

export const AT_ONCE = 3
/** Files hashed ahead of those being sent. */
const AHEAD = 12
/** Losses of one file, while the server answers, after which it is refused. */
const LOSSES = 3
/** Milliseconds that a lost file rests; after each further loss four times as long. */
const REST = 1000
/** Files added before the page gets a breath. */
const GULP = 400
const SPEED_SECONDS = 6
/** Milliseconds without progress after which a person is told, and after which the server is asked. */
const QUIET = 5000
const SILENCE = 20_000

/** States whose bytes are still to be sent. */
const OPEN: ReadonlySet<EntryState> = new Set(['waiting', 'checking', 'ready', 'sending'])

export class Queue {
  readonly entries: Entry[] = []
  readonly counts: Record<EntryState, number> = {
    waiting: 0,
    checking: 0,
    known: 0,
    ready: 0,
    sending: 0,
    done: 0,
    refused: 0,
    cancelled: 0,
  }
  isPaused = false
  /** Why nothing moves: the connection is lost; it is tried again. */
  stalled = ''
  /** Bytes of what was to be sent, whatever became of it. */
  totalBytes = 0
  #next = 1
  #byId = new Map<number, Entry>()
  #sending = new Map<number, AbortController>()
  /** How often files were lost in a row, and how far they came. */
  #losses = new Map<number, { times: number; furthest: number }>()
  #resting = new Set<number>()
  #samples: [time: number, bytes: number][] = []
  #moved = 0
  #from = 0
  #isWaking = false
  /** When an upload moved last, and when the server was asked last. */
  #heard = 0
  #asked = 0
  #transport: Promise<Transport> | undefined

  constructor(private readonly services: Services) {}

  /** Takes files in; the page stays alive however many they are. */
  async add(files: AsyncIterable<File> | Iterable<File>, recipe: string): Promise<number> {
    let taken = 0
    try {
      for await (const file of files) {
        this.#enter({ file, name: file.webkitRelativePath || file.name, recipe, anyway: false, key: '' })
        if (++taken % GULP === 0) {
          this.#work()
          await this.services.sleep(0)
        }
      }
    } finally {
      this.#work() // what came before a fault goes on its way
    }
    return taken
  }

  /** Takes the uploads of an earlier page in. */
  restore(uploads: Iterable<Restored>): void {
    for (const upload of uploads) this.#enter(upload)
    this.#work()
  }

  get open(): number {
    return this.counts.waiting + this.counts.checking + this.counts.ready + this.counts.sending
  }

  /** Files that were not cancelled. */
  get total(): number {
    return this.entries.length - this.counts.cancelled
  }

  /** Bytes that need not be sent any more. */
  get sentBytes(): number {
    let sent = 0
    for (const { counts, state, size, sent: own } of this.entries) if (counts) sent += OPEN.has(state) ? own : size
    return sent
  }

  /** Bytes a second, over the last moments. */
  get speed(): number {
    const since = this.services.now() - SPEED_SECONDS * 1000
    this.#samples = this.#samples.filter(([time]) => time >= since)
    const first = this.#samples[0]
    if (!first || this.#samples.length < 2) return 0
    const seconds = (this.services.now() - first[0]) / 1000
    return seconds > 0.2 ? (this.#moved - first[1]) / seconds : 0
  }

  /** Seconds until all is sent; Infinity while nothing moves. */
  get secondsLeft(): number {
    return this.speed > 0 ? (this.totalBytes - this.sentBytes) / this.speed : Infinity
  }

  /** Whether uploads are on their way and none of them has moved for some seconds. */
  get waits(): boolean {
    return this.#sending.size > 0 && !this.isPaused && this.services.now() - this.#heard >= QUIET
  }

  /** Looks whether anything moves; of a server that hangs the uploads are taken back, until it answers again. */
  async look(): Promise<void> {
    const now = this.services.now()
    if (this.waits) this.services.changed()
    if (!this.waits || now - Math.max(this.#heard, this.#asked) < SILENCE) return
    this.#asked = now
    if ((await this.services.isThere()) || this.#heard > now) return // a slow way, or a server that looks at the pictures
    this.stalled = t.upload.stalled
    for (const stop of this.#sending.values()) stop.abort('silence')
    void this.#wake()
  }

  pause(): void {
    this.isPaused = true
    for (const stop of this.#sending.values()) stop.abort('pause')
    this.services.changed()
  }

  resume(): void {
    this.isPaused = false
    this.stalled = ''
    this.#work()
  }

  cancel(id: number): void {
    const entry = this.#byId.get(id)
    if (!entry || entry.state === 'done' || entry.state === 'cancelled') return
    this.#sending.get(id)?.abort('cancel')
    this.#move(entry, 'cancelled')
    entry.file = null
    this.#forget([id])
    this.#work()
  }

  cancelAll(): void {
    const cancelled: number[] = []
    for (const entry of this.entries) {
      if (!OPEN.has(entry.state) && entry.state !== 'known') continue
      this.#sending.get(entry.id)?.abort('cancel')
      this.#move(entry, 'cancelled', false)
      entry.file = null
      cancelled.push(entry.id)
    }
    this.#forget(cancelled)
    this.isPaused = false
    this.stalled = ''
    this.services.changed()
  }

  /** Tries a refused file again, or sends one whose bytes are known. */
  again(id: number): void {
    const entry = this.#byId.get(id)
    if (!entry?.file || !(entry.state === 'refused' || entry.state === 'known')) return
    if (entry.state === 'known') entry.anyway = true
    entry.why = ''
    entry.sent = 0
    this.#losses.delete(id)
    this.#move(entry, entry.anyway ? 'ready' : 'waiting', false)
    this.#from = 0
    this.#work()
  }

  againAll(state: 'refused' | 'known'): void {
    for (const entry of this.entries) if (entry.state === state) this.again(entry.id)
  }

  /** Forgets what needs no more attention. */
  clear(): void {
    const kept = this.entries.filter((entry) => OPEN.has(entry.state))
    for (const entry of this.entries) if (!OPEN.has(entry.state)) this.#byId.delete(entry.id)
    this.entries.splice(0, this.entries.length, ...kept)
    for (const state of ['known', 'done', 'refused', 'cancelled'] as const) this.counts[state] = 0
    this.totalBytes = kept.reduce((sum, entry) => sum + entry.size, 0)
    this.#from = 0
    this.services.changed()
  }

  #enter({ file, name, recipe, anyway, key }: Restored): void {
    const why = this.services.objection(file)
    const state = why ? 'refused' : anyway ? 'ready' : 'waiting'
    const entry: Entry = { id: this.#next++, name, size: file.size, recipe, state, sent: 0, why, image: '', file, anyway, key, counts: false }
    this.entries.push(entry)
    this.#byId.set(entry.id, entry)
    this.counts[state]++
    if (!OPEN.has(state)) return
    this.#count(entry, true)
    this.services.entered(entry)
  }

  #work(): void {
    this.services.changed()
    if (this.isPaused || this.stalled) return
    while (this.#sending.size < AT_ONCE) {
      const entry = this.#first('ready')
      if (!entry) break
      void this.#send(entry)
    }
    while (this.counts.checking < 2 && this.counts.ready < AHEAD) {
      const entry = this.#first('waiting')
      if (!entry) break
      void this.#check(entry)
    }
  }

  /** The first entry in a state; what lies before the first open one is not looked at again. */
  #first(state: EntryState): Entry | undefined {
    if (!this.counts[state]) return undefined
    let isHead = true
    for (let index = this.#from; index < this.entries.length; index++) {
      const entry = this.entries[index]!
      if (entry.state === state && !this.#resting.has(entry.id)) return entry
      isHead &&= entry.state === 'done' || entry.state === 'cancelled'
      if (isHead) this.#from = index + 1
    }
    return undefined
  }

  async #check(entry: Entry): Promise<void> {
    this.#move(entry, 'checking')
    let [image, gone] = ['', '']
    try {
      const digest = await this.services.digest(entry.file!)
      image = (await this.services.known([digest]))[digest] ?? ''
    } catch {
      // the digest is a hint only: a worker that stopped, or a server that is away, shows when the file is sent
      if (entry.file) gone = await this.services.unreadable(entry.file)
    }
    if (entry.state !== 'checking') return
    entry.image = image
    if (gone) this.#refuse(entry, gone)
    else this.#move(entry, image ? 'known' : 'ready')
    if (image) {
      this.#forget([entry.id])
      this.services.found(entry)
    }
    this.#work()
  }

  async #send(entry: Entry): Promise<void> {
    const stop = new AbortController()
    if (!this.#sending.size) this.#heard = this.services.now()
    this.#sending.set(entry.id, stop)
    this.#move(entry, 'sending')
    try {
      this.#transport ??= this.services.transport()
      const transport = await this.#transport.catch((error: unknown) => {
        throw new Away(textOf(error))
      })
      stop.signal.throwIfAborted() // a person was faster than the transport
      entry.image = await transport.send(entry, (sent) => this.#progress(entry, sent), stop.signal)
      this.#progress(entry, entry.size)
      this.#sending.delete(entry.id)
      this.#losses.delete(entry.id)
      this.#move(entry, 'done', false)
      entry.file = null
    } catch (error) {
      const why = stop.signal.aborted ? error : await this.#judged(entry, error)
      this.#sending.delete(entry.id)
      if (stop.signal.aborted) {
        // of one whose bytes are all sent only the answer may be missing: it is looked first whether the picture is there
        if (entry.state === 'sending') this.#move(entry, entry.anyway || entry.sent < entry.size ? 'ready' : 'waiting', false)
      } else this.#fail(entry, why)
    }
    this.#work()
  }

  /** Ends what was paused of uploads that are not sent any more. */
  #forget(ids: number[]): void {
    void this.#transport?.then(
      (transport) => ids.forEach((id) => transport.forget(id)),
      () => undefined, // one that never came has nothing
    )
  }

  /** What a fault is due to: the server (Away), the file (Refused), or the way so far (Lost). */
  async #judged(entry: Entry, error: unknown): Promise<unknown> {
    if (error instanceof Refused || error instanceof Away || !entry.file) return error
    if (!(await this.services.isThere())) return new Away(t.upload.stalled)
    const gone = entry.file && (await this.services.unreadable(entry.file))
    if (gone) return new Refused(gone)
    const before = this.#losses.get(entry.id)
    // a file that comes further each time is sent in the end, however often its way breaks
    const times = before && entry.sent <= before.furthest ? before.times + 1 : 1
    this.#losses.set(entry.id, { times, furthest: Math.max(entry.sent, before?.furthest ?? 0) })
    return times < LOSSES ? new Lost(textOf(error)) : new Refused(textOf(error))
  }

  #fail(entry: Entry, error: unknown): void {
    if (error instanceof Refused) return this.#refuse(entry, error.message)
    // everything else is the way, not the file: it is tried again until it works, or a person gives up; only the answer
    // may have been lost, so it is looked first whether the picture is there
    this.#move(entry, entry.anyway ? 'ready' : 'waiting', false)
    this.#transport = undefined
    if (!(error instanceof Away)) return void this.#rest(entry)
    this.stalled = error.message
    void this.#wake()
  }

  #refuse(entry: Entry, why: string): void {
    entry.why = why
    this.#losses.delete(entry.id)
    this.#move(entry, 'refused', false)
  }

  /** Puts a lost file behind the others, and lets it wait a moment. */
  async #rest(entry: Entry): Promise<void> {
    this.entries.splice(this.entries.indexOf(entry), 1)
    this.entries.push(entry)
    this.#resting.add(entry.id)
    await this.services.sleep(REST * 4 ** ((this.#losses.get(entry.id)?.times ?? 1) - 1))
    this.#resting.delete(entry.id)
    this.#work()
  }

  async #wake(): Promise<void> {
    if (this.#isWaking) return
    this.#isWaking = true
    for (let pause = 1000; this.stalled; pause = Math.min(10_000, pause * 1.6)) {
      await this.services.sleep(pause)
      if (await this.services.isThere()) this.stalled = ''
    }
    this.#isWaking = false
    this.#work()
  }

  #progress(entry: Entry, sent: number): void {
    this.#moved += Math.max(0, sent - entry.sent)
    entry.sent = sent
    const now = this.services.now()
    this.#heard = now
    if (now - (this.#samples.at(-1)?.[0] ?? 0) > 200) this.#samples.push([now, this.#moved])
    this.services.changed()
  }

  #move(entry: Entry, state: EntryState, isNews = true): void {
    this.counts[entry.state]--
    this.counts[state]++
    if (OPEN.has(state) || state === 'cancelled') this.#count(entry, state !== 'cancelled')
    const [was, is] = [OPEN.has(entry.state), OPEN.has(state)]
    entry.state = state
    if (was && !is) this.services.left(entry)
    else if (is && !was) this.services.entered(entry)
    if (isNews) this.services.changed()
  }
  #count(entry: Entry, counts: boolean): void {
    if (entry.counts !== counts) this.totalBytes += counts ? entry.size : -entry.size
    entry.counts = counts
  }
}
