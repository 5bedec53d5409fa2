// The uploads of this page: the queue, joined to the network and shown at most a few times a second.

import { api, data, isUploaderThere, Problem } from '../api/client'
import { gallery } from '../gallery/list/gallery.svelte'
import { alarm, attempt } from '../gallery/selection/selection.svelte'
import { notices } from '../frame/notices.svelte'
import { Peek } from '../recipes/picker/peek'
import { t } from '../words/texts'
import { objection, unreadable } from './offer/files'
import type { Keeper } from './transfer/kept'
import { flag, isSame, type Left, match, mayHaveLeft, werePaused } from './transfer/left'
import { Outcomes } from './tray/outcomes'
import { type Entry, Queue, type Restored } from './transfer/queue'

const SHOWN_EVERY = 120
/** Milliseconds in which a server answers that is there. */
const PATIENCE = 5000
/** Files of stored pictures that are remembered until the server has thumbnails of them. */
const REMEMBERED = 1000
/** Milliseconds without news after which pictures that are still pending are asked for, and how many of them at a time. */
const [SILENCE, SOME] = [10_000, 20]

type Files = AsyncIterable<File> | Iterable<File>

async function* chain(...parts: Files[]): AsyncGenerator<File> {
  for (const part of parts) yield* part
}

class Uploads {
  /** Rises when something in the queue changed. */
  version = $state(0)
  isOpen = $state(false)
  /** Files that wait for a person to choose their recipe. */
  offered = $state.raw<{ files: Peek; count: number | null } | null>(null)
  /** Uploads of a page that was closed, whose files have to be chosen again. */
  left = $state.raw<Left[]>([])
  /** The pictures that were uploaded here. */
  #own = new Set<string>()
  #files = new Map<string, File>()
  /** What becomes of the pictures that were stored. */
  readonly outcomes = new Outcomes()
  #newsAt = 0
  /** Pictures that are here already, of which it is not known yet whether they have the chosen recipe. */
  #found: Entry[] = []
  #keeper: Promise<Keeper | null> | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #announced = 0
  #wasOpen = false

  readonly queue = new Queue({
    transport: async () => (await import('./transfer/transport')).createTransport(),
    digest: async (file) => (await import('./offer/digests')).digest(file),
    known: async (digests) => (await import('./offer/digests')).known(digests),
    isThere: () => isUploaderThere(PATIENCE),
    objection,
    unreadable,
    entered: (entry) => {
      this.#meet(entry)
      this.#keep((keeper) => entry.file && keeper.note(entry))
    },
    found: (entry) => {
      this.#own.add(entry.image) // it may be here because only the answer was lost
      this.#found.push(entry)
    },
    left: (entry) => {
      if (entry.state === 'done') this.#stored(entry)
      this.#keep((keeper) => {
        if (entry.key) keeper.forget([entry.key])
        entry.key = ''
      })
    },
    changed: () => {
      this.#timer ??= setTimeout(() => this.#show(), SHOWN_EVERY)
    },
    now: () => performance.now(),
    sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  })

  constructor() {
    gallery.isOwn = (id) => this.#own.has(id)
    gallery.onChange((change) => {
      if ('deleted' in change) this.outcomes.drop(change.id)
      else this.outcomes.hear(change.id, change.state, performance.now())
      if (this.#own.has(change.id)) this.#told()
    })
    setInterval(() => void this.#ask(), SILENCE)
    setInterval(() => void this.queue.look(), 1000)
    addEventListener('beforeunload', (event) => {
      if (this.queue.open) event.preventDefault()
    })
  }

  /** The file that became a picture, if it was chosen here. */
  fileOf(image: string): File | undefined {
    void this.version
    return this.#files.get(image)
  }

  #stored({ image, file }: Entry): void {
    this.#own.add(image)
    this.outcomes.add(image)
    this.#newsAt = performance.now()
    if (!file) return
    this.#files.set(image, file)
    const [oldest] = this.#files.keys()
    if (this.#files.size > REMEMBERED) this.#files.delete(oldest!)
  }

  #told(): void {
    this.#newsAt = performance.now()
    this.#timer ??= setTimeout(() => this.#show(), SHOWN_EVERY)
  }

  /** News may have been lost with the connection: what is pending for long is asked for. */
  async #ask(): Promise<void> {
    const pending = this.outcomes.pending(SOME)
    if (!pending.length || performance.now() - this.#newsAt < SILENCE) return
    for (const id of pending) {
      try {
        const found = await data(api.GET('/images/{image_id}/info', { params: { path: { image_id: id } } }))
        this.outcomes.hear(id, found.state, performance.now())
      } catch (error) {
        // one that is deleted is told by an event; one that is unknown waits in the spool
        if (!(error instanceof Problem && error.status === 404)) return // the server is away; the next round asks again
      }
    }
    this.#told()
  }

  /** Leaves the list, once all is told. */
  clear(): void {
    this.queue.clear()
    if (!this.queue.open) this.outcomes.clear()
  }

  /** Asks how files shall be processed; more of them join those that are asked for already. */
  offer(files: Files, count: number | null): void {
    const before = this.offered
    this.offered = before
      ? { files: new Peek(chain(before.files, files)), count: before.count === null || count === null ? null : before.count + count }
      : { files: new Peek(files), count }
  }

  async start(files: Files, recipe: string): Promise<void> {
    this.isOpen = true
    try {
      await this.queue.add(files, recipe)
    } catch (error) {
      alarm(error)
    }
  }

  /** Goes on with what pages left that were closed: with the copies of their files, or once the files are chosen again. */
  async recover(): Promise<void> {
    if (!mayHaveLeft()) return
    const wasPaused = werePaused()
    const found = (await (await this.#kept())?.claim()) ?? []
    const [whole, bare] = [found.filter((each) => each.file), found.filter((each) => !each.file)]
    this.left = [...this.left, ...bare]
    if (wasPaused && whole.length && !this.queue.open) this.queue.pause()
    this.#goOn(whole.map((each) => [each, each.file!]))
  }

  /** Takes the files of uploads that were left; others are offered as any. */
  bring(files: File[]): void {
    const { found, others } = match(this.left, files)
    const keys = new Set(found.map(([each]) => each.key))
    this.left = this.left.filter((each) => !keys.has(each.key))
    this.#goOn(found)
    if (others.length) this.offer(others, others.length)
  }

  /** Gives up what was left. */
  forgetLeft(): void {
    const keys = this.left.map((each) => each.key)
    this.left = []
    this.#keep((keeper) => keeper.forget(keys))
  }

  /** Ends everything, and leaves nothing in the browser. */
  end(): void {
    this.queue.cancelAll()
    if (this.left.length) this.forgetLeft()
  }

  #goOn(found: [Left, File][]): void {
    if (!found.length) return
    this.isOpen = true
    this.queue.restore(found.map(([{ name, recipe, anyway, key }, file]): Restored => ({ file, name, recipe, anyway, key })))
    if (!this.queue.isPaused) notices.show(t.upload.goesOn(found.length))
  }

  /** A file that was left and is chosen as any other needs no second asking. */
  #meet(entry: Entry): void {
    const same = this.left.find((each) => each.key !== entry.key && isSame(each, entry.name, entry.size))
    if (!same) return
    this.left = this.left.filter((each) => each !== same)
    this.#keep((keeper) => keeper.forget([same.key]))
  }

  /** Uploads go on where nothing can be kept; a reload will not find them then. */
  #kept(): Promise<Keeper | null> {
    return (this.#keeper ??= import('./transfer/kept').then(
      ({ Keeper }) => new Keeper(),
      (error: unknown) => {
        console.warn('Uploads are not kept over a reload:', error)
        return null
      },
    ))
  }

  #keep(act: (keeper: Keeper) => void): void {
    void this.#kept().then((keeper) => keeper && act(keeper))
  }

  /** Gives pictures that are here already the recipe that was chosen with them. */
  async #give(): Promise<void> {
    const found = this.#found.splice(0)
    await attempt(async () => {
      const given = await (await import('./offer/given')).give(found)
      for (const entry of found) if (given.has(entry.image)) entry.why = t.upload.givenOne
      this.version++
    })
  }

  #show(): void {
    this.#timer = undefined
    if (this.#found.length && !(this.queue.counts.waiting + this.queue.counts.checking)) void this.#give()
    this.version++
    const { queue } = this
    const isBusy = queue.open > 0
    if (isBusy) flag(queue.isPaused)
    const percent = queue.totalBytes ? Math.floor((queue.sentBytes / queue.totalBytes) * 10) * 10 : 0
    if (isBusy && percent !== this.#announced && percent > 0 && percent < 100) {
      this.#announced = percent
      notices.say(t.upload.announce(percent))
    }
    if (this.#wasOpen && !isBusy) {
      this.#announced = 0
      notices.say(t.upload.ended(queue.counts.done, queue.counts.refused))
    }
    this.#wasOpen = isBusy
  }
}

export const uploads = new Uploads()
