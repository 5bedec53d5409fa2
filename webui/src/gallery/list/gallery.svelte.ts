// The gallery's state: what is shown, loaded as far as it is looked at, and kept true by the server's events.

import { api, data, type Image, type Stats, textOf } from '../../api/client'
import { type Change, follow } from '../../api/live'
import { notices } from '../../frame/notices.svelte'
import { t } from '../../words/texts'
import { belongs, EVERYTHING, type Filter, isEverything, isReversed, listOf, orderOf, query, until, write } from './filter'
import type { Part } from '../layout/plan'
import type { Shape } from '../layout/rows'
import { type Order, type Outline, reaches, Shelf, within } from './shelf'

/** Images in a piece of the list. */
const PIECE = 200
/** Pieces kept in memory beside the first one. */
const KEEP = 24
const AT_ONCE = 3
/** Attempts to load one image while the list changes. */
const TIMES = 3

/** Which new pictures wait before they move the list: none, all, or those of others. */
export type Hold = 'none' | 'others' | 'all'

class Gallery {
  #shelf = new Shelf()
  #loads = new Map<number, AbortController>()
  /** For each load under way, what happened since it began: its answer may be older. */
  #heard = new Set<Change[]>()
  #wanted: [number, number] = [0, 60]
  /** Places of images that somebody waits for, wherever they are. */
  #asked = new Set<number>()
  #marksOf = 0
  #marking: Promise<void> | undefined
  #recut = 0
  #pump: ReturnType<typeof setTimeout> | undefined
  /** When the newest image was created as the list was asked for. */
  #newest = 0
  #looking: ReturnType<typeof setTimeout> | undefined
  #failures = 0
  #hold: Hold = 'none'
  #waiting = new Map<string, Image>()
  #ready = promise()

  filter = $state<Filter>(EVERYTHING)
  /** Rises with every change of what is shown. */
  version = $state(0)
  size = $state(0)
  isLoaded = $state(false)
  /** New pictures that wait until they may move the list. */
  arrived = $state(0)
  /** Tells the pictures that were uploaded here from those of others. */
  isOwn = (_id: string): boolean => false
  problem = $state('')
  #stats = $state.raw<Stats | null>(null)
  isConnected = $state(true)
  /** The id of a picture that is to come into sight, with the focus. */
  revealed = $state('')
  /** Ids of images that have just failed, told to screen readers and shown once. */
  #told = new Set<string>()
  #listeners = new Set<(image: Image | { id: string; deleted: true }) => void>()

  get stats(): Stats | null {
    return this.#stats
  }

  /** A server of the former version tells nothing about a trash. */
  set stats(found: Stats | null) {
    this.#stats = found && { ...found, trash: found.trash ?? { days: 0, images: 0, bytes: 0 } }
  }

  /** Follows the server; returns what ends it. */
  open(): () => void {
    let isFirst = true
    void this.reload()
    return follow({
      fresh: () => {
        // what was loaded before the stream began may be old by a moment
        if (!isFirst || this.isLoaded) void this.reload(true)
        isFirst = false
      },
      images: (changes) => this.#take(changes),
      stats: (stats) => {
        if (this.stats?.paused !== stats.paused) notices.end('pause')
        this.stats = stats
      },
      connected: (is) => {
        this.isConnected = is
        if (is) notices.end('connection')
      },
    })
  }

  /** Hears of every change; returns what ends that. */
  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Shows what passes a filter; returns whether that is another list than before. */
  show(filter: Filter): boolean {
    if (write(filter) === write(this.filter)) return false
    const isSameList = listOf(filter) === listOf(this.filter)
    this.filter = filter
    if (isSameList) {
      this.#changed()
      return true
    }
    this.#shelf = new Shelf()
    this.isLoaded = false
    this.#ready = promise()
    void this.reload()
    return true
  }

  /** Asks anew where the list can be cut; `isStale` says that known images may be old too. */
  async reload(isStale = false): Promise<void> {
    const round = ++this.#marksOf
    this.#endLoads()
    try {
      const end = until(this.filter)
      const [marks, newest] = await Promise.all([
        data(api.GET('/images/marks', { params: { query: { every: PIECE, ...query(this.filter) } } })),
        orderOf(this.filter) && data(api.GET('/images', { params: { query: { limit: 1 } } })),
        this.stats ?? this.#loadStats(),
      ])
      if (round !== this.#marksOf) return
      this.#endLoads() // what was asked for meanwhile are pieces of the list as it was cut before
      this.#newest = Date.parse(newest?.[0]?.created_at ?? '') || 0
      this.#shelf.isOpen = !end || Date.parse(end) > Date.now()
      this.#shelf.adopt(marks, isStale)
      this.#waiting.clear() // they are counted in the list now
      this.isLoaded = true
      this.#ready.keep()
      this.problem = ''
      this.#failures = 0
      this.#changed()
      this.#work()
    } catch (error) {
      if (round !== this.#marksOf) return
      this.problem = textOf(error)
      setTimeout(() => round === this.#marksOf && void this.reload(isStale), Math.min(8000, 1000 * 2 ** this.#failures++))
    }
  }

  /** The pieces of the list as they are shown, for their layout. */
  get parts(): Part[] {
    const outlines = this.#shelf.outlines()
    const isBackwards = isReversed(this.filter)
    if (orderOf(this.filter)) return (isBackwards ? outlines.toReversed() : outlines).map((each, at) => dayless(each, at === outlines.length - 1, isBackwards))
    if (!isBackwards) return outlines.map((each, at) => partOf(each, outlines[at - 1]?.oldest, outlines[at + 1]?.newest))
    return outlines.map((each, at) => partOf(each, outlines[at + 1]?.newest, outlines[at - 1]?.oldest, true)).reverse()
  }

  at(index: number): Image | undefined {
    return this.#shelf.at(this.#place(index))
  }

  find = (id: string): Image | undefined => this.#shelf.find(id)

  indexOf(id: string): number {
    const index = this.#shelf.indexOf(id)
    return index < 0 ? -1 : this.#place(index)
  }

  /** How many images are in memory. */
  get held(): number {
    return this.#shelf.held
  }

  /** Says which images are in sight: they and their neighbours are loaded, far ones forgotten. What flies past is not loaded. */
  look(first: number, last: number, isFlying = false): void {
    this.#wanted = [first, last]
    if (isFlying) this.#rest()
    this.#pump ??= setTimeout(() => {
      this.#rest()
      this.#work()
    }, 60)
  }

  #endLoads(): void {
    for (const load of this.#loads.values()) load.abort()
    this.#loads.clear()
  }

  #rest(): void {
    clearTimeout(this.#pump)
    this.#pump = undefined
  }

  /** Loads an image wherever in the list it is. */
  async load(index: number): Promise<Image | undefined> {
    this.#asked.add(index)
    try {
      // asked again where the list was cut anew meanwhile
      for (let times = 0; times < TIMES && index >= 0 && index < this.size && !this.at(index); times++) {
        await this.#load(this.#shelf.pieceAt(this.#place(index)))
      }
      return this.at(index)
    } finally {
      this.#asked.delete(index)
    }
  }

  /** The place in the list of an image that may not be loaded; -1 where the filter excludes it. */
  async locate(image: Image): Promise<number> {
    if (this.#waiting.has(image.id)) this.letIn()
    for (let times = 0; times < TIMES && belongs(this.filter, image); times++) {
      await this.#ready.kept
      if (orderOf(this.filter) && !image.sort_key) return this.indexOf(image.id)
      while (this.#shelf.pieceFor(image) < 0 && (this.#shelf.next || this.#marking)) await this.#loadMarks()
      const piece = this.#shelf.pieceFor(image)
      if (piece >= 0 && this.indexOf(image.id) < 0) await this.#load(piece)
      if (this.indexOf(image.id) >= 0) return this.indexOf(image.id)
    }
    return -1
  }

  /** Says which new pictures wait from now on. */
  hold(which: Hold): void {
    this.#hold = which
    if (which === 'none') this.letIn()
  }

  /** Puts the pictures that waited into the list. */
  letIn(): void {
    if (!this.#waiting.size) return
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    if (waiting.length > PIECE || orderOf(this.filter)) return void this.reload(true)
    for (const image of waiting) this.#shelf.apply(image, true)
    this.#changed()
  }

  /** The ids from one index to another, both included. What is not in memory is asked for, and forgotten again. */
  async ids(from: number, to: number): Promise<string[]> {
    const [first = 0, last = 0] = [this.#place(from), this.#place(to)].sort((one, other) => one - other)
    const [begin, end] = [this.#shelf.pieceAt(first), this.#shelf.pieceAt(last)]
    // the list may be cut anew meanwhile
    const parts = Array.from({ length: end - begin + 1 }, (_, index) => ({
      ...this.#shelf.piece(begin + index),
      order: this.#shelf.order(begin + index),
    }))
    const found: string[][] = []
    const next = parts.entries()
    const work = async () => {
      for (const [number, { images, start, order }] of next) {
        const all = images ?? (order ? within(order, await this.#fetch(order)) : [])
        const from = number === 0 ? first - start : 0
        const to = number === parts.length - 1 ? last - start + 1 : all.length
        found[number] = all.slice(from, to).map((image) => image.id)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    return found.flat()
  }

  /** Takes images away at once; the server's events say the same a moment later. */
  hide(ids: Iterable<string>): void {
    for (const id of ids) this.#shelf.remove(id)
    this.#changed()
  }

  /** Gives a picture a star, or takes it away; the server's events say the same a moment later. */
  async star({ id, favourite }: Pick<Image, 'id' | 'favourite'>): Promise<void> {
    const which = { params: { path: { image_id: id } } }
    await (favourite ? api.DELETE('/images/{image_id}/favourite', which) : api.PUT('/images/{image_id}/favourite', which))
    const image = this.find(id)
    if (image) this.#take([{ ...image, favourite: !favourite }])
  }

  #place(index: number): number {
    return isReversed(this.filter) ? this.#shelf.size - 1 - index : index
  }

  #changed(): void {
    this.arrived = this.#waiting.size
    this.size = this.#shelf.size
    this.version++
  }

  #take(changes: Change[]): void {
    const failed: Image[] = []
    for (const heard of this.#heard) heard.push(...changes)
    if (this.filter.trash && changes.some((change) => 'deleted' in change && !this.find(change.id))) this.#lookSoon()
    for (const change of changes) {
      const former = this.find(change.id)?.state
      for (const listener of this.#listeners) listener(change)
      this.#apply(change)
      if ('deleted' in change) continue
      if (change.state !== 'failed') this.#told.delete(change.id)
      else if (former !== 'failed' && !this.#told.has(change.id)) {
        this.#told.add(change.id)
        failed.push(change)
      }
    }
    if (failed.length) notices.say(t.gallery.failedNow(failed.map((image) => image.filename)))
    this.#changed()
    if (this.#shelf.isTopHeavy && Date.now() - this.#recut > 10_000) {
      this.#recut = Date.now()
      void this.reload()
    }
  }

  /** Asks for the trash again: of what comes there only the id is told. */
  #lookSoon(): void {
    this.#looking ??= setTimeout(() => {
      this.#looking = undefined
      if (this.filter.trash) void this.reload(true)
    }, 500)
  }

  #apply(change: Change): void {
    if ('deleted' in change) {
      if (!this.#waiting.delete(change.id)) this.#shelf.remove(change.id)
      return
    }
    const isShown = belongs(this.filter, change)
    if (orderOf(this.filter)) return this.#applyInOrder(change, isShown)
    if (!isShown) this.#waiting.delete(change.id)
    if (isShown && this.#waits(change)) this.#waiting.set(change.id, change)
    else this.#shelf.apply(change, isShown)
  }

  /** In an order that only the server knows, what is new waits until it is asked for. */
  #applyInOrder(image: Image, isShown: boolean): void {
    const known = this.find(image.id)
    if (known) this.#shelf.apply({ ...image, sort_key: known.sort_key }, isShown)
    else if (isShown && Date.parse(image.created_at) > this.#newest) this.#waiting.set(image.id, image)
    else this.#waiting.delete(image.id)
  }

  #waits(image: Image): boolean {
    if (orderOf(this.filter)) return false
    if (this.#waiting.has(image.id)) return true
    const isHeld = this.#hold === 'all' || (this.#hold === 'others' && !this.isOwn(image.id))
    return isHeld && this.filter.sort === 'newest' && this.#shelf.isNews(image)
  }

  #work(): void {
    const places = this.#wanted.map((index) => this.#place(Math.max(0, Math.min(index, this.size - 1))))
    const [first, last] = [this.#shelf.pieceAt(Math.min(...places)), this.#shelf.pieceAt(Math.max(...places))]
    if (this.#shelf.next && last >= this.#shelf.pieces - 2) void this.#loadMarks()
    const wanted: number[] = []
    for (let piece = first; piece <= last; piece++) wanted.push(piece)
    wanted.push(last + 1, first - 1)
    const kept = new Set([...wanted, ...[...this.#asked].map((index) => this.#shelf.pieceAt(this.#place(index)))])
    for (const [piece, load] of this.#loads) {
      if (kept.has(piece)) continue
      load.abort()
      this.#loads.delete(piece)
    }
    for (const piece of wanted) {
      if (this.#loads.size >= AT_ONCE) break
      if (piece < 0 || piece >= this.#shelf.pieces || this.#shelf.isLoaded(piece) || this.#loads.has(piece)) continue
      void this.#load(piece).then(
        () => this.#work(),
        () => setTimeout(() => this.#work(), 2000),
      )
    }
    this.#shelf.forget(KEEP)
  }

  /** With the first pictures, as what the bar above them tells must not push them down later. */
  async #loadStats(): Promise<void> {
    const found = await data(api.GET('/stats'))
    this.stats ??= found
  }

  #loadMarks(): Promise<void> {
    return (this.#marking ??= this.#askForMarks().finally(() => (this.#marking = undefined)))
  }

  async #askForMarks(): Promise<void> {
    const cursor = this.#shelf.next
    if (!cursor) return
    const round = this.#marksOf
    this.#shelf.next = null
    const more = await data(api.GET('/images/marks', { params: { query: { every: PIECE, ...query(this.filter), cursor } } }))
    if (round !== this.#marksOf) return
    this.#shelf.append(more)
    this.#changed()
  }

  async #load(piece: number): Promise<void> {
    const shelf = this.#shelf
    const order = shelf.order(piece)
    if (!order) return
    const stop = new AbortController()
    const heard: Change[] = []
    this.#loads.set(piece, stop)
    this.#heard.add(heard)
    try {
      const images = await this.#fetch(order, stop.signal)
      if (shelf !== this.#shelf || stop.signal.aborted) return
      const news = new Map(images.filter((image) => this.#waits(image)).map((image) => [image.id, image]))
      shelf.fill(piece, images.filter(({ id }) => !news.has(id)))
      for (const image of news.values()) this.#waiting.set(image.id, image)
      if (orderOf(this.filter)) for (const { id } of images) this.#waiting.delete(id)
      for (const change of heard) this.#apply(change)
      this.problem = ''
      this.#changed()
    } catch (error) {
      if (stop.signal.aborted) return
      this.problem = textOf(error)
      throw error
    } finally {
      this.#heard.delete(heard)
      if (this.#loads.get(piece) === stop) this.#loads.delete(piece)
    }
  }

  /** Asks for the images of a piece, to its end: a filter, or images that came meanwhile, may need several answers for it. */
  async #fetch(order: Order, signal?: AbortSignal): Promise<Image[]> {
    const images: Image[] = []
    let cursor = order.cursor
    do {
      const missing = order.count - images.length
      const asked = { limit: missing > 0 ? Math.min(1000, missing) : PIECE, ...query(this.filter), ...(cursor && { cursor }) }
      const answer = await api.GET('/images', { params: { query: asked }, ...(signal && { signal }) })
      images.push(...(answer.data ?? []))
      cursor = nextCursor(answer.response.headers.get('Link'))
    } while (cursor && !(images.length && reaches(order, images.at(-1)!)))
    return images
  }

  get isUnfiltered(): boolean {
    return isEverything(this.filter)
  }
}

/** A piece between two others; of a neighbour that is not loaded, the near end is taken to be of the same day. */
function partOf({ revision, count, images, newest, oldest }: Outline, before?: string, after?: string, isReversed = false): Part {
  const [first, last] = isReversed ? [oldest, newest] : [newest, oldest]
  return {
    revision,
    count,
    since: first || before || '',
    shapes: images && (() => (isReversed ? images.toReversed() : images).map(shapeOf)),
    before: before === undefined ? '' : dateOf(before || first),
    after: after === undefined ? '' : dateOf(after || last),
  }
}

/** The same for an order in which there are no days. */
function dayless({ revision, count, images }: Outline, isLast: boolean, isReversed: boolean): Part {
  const shapes = images && (() => (isReversed ? images.toReversed() : images).map((image) => ({ ...shapeOf(image), day: '' })))
  return { revision, count, since: '', shapes, before: '', after: isLast ? 'the end' : '' }
}

function shapeOf(image: Image): Shape {
  const { width, height } = image.thumbnail ?? image
  return { ratio: width / height || 1, day: dateOf(image.created_at) }
}

const dateOf = (iso: string): string => iso && new Date(iso).toDateString()

/** A promise that is kept from outside. */
function promise(): { kept: Promise<void>; keep: () => void } {
  let keep = () => {}
  const kept = new Promise<void>((resolve) => (keep = resolve))
  return { kept, keep }
}

function nextCursor(link: string | null): string | null {
  const query = /<\?([^>]*)>; rel="next"/.exec(link ?? '')?.[1]
  return query ? new URLSearchParams(query).get('cursor') : null
}

export const gallery = new Gallery()
