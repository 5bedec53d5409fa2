// A list of any length of which only pieces are known: the gallery's memory.
//
// The API says where the list can be cut ("marks"). A piece lies between two places that do not move when images come
// and go, so any piece can be loaded without those before it, forgotten, and loaded again; its length is corrected when
// it is there. In the order of the API: newest first, or from the last name or size.

import type { Image, Mark, Marks } from '../../api/client'

/** A place in the list: the newer of two is the greater one. */
export type Key = string

interface Piece {
  cursor: string | null
  /** Images down to and including this place belong to the piece; empty: down to the end. */
  end: Key
  count: number
  images: Image[] | null
  /** Whether the images may be old: they are shown, and loaded anew. */
  isStale: boolean
  used: number
  /** When its last image was created; that image may be gone by now. */
  since: string
  /** Another number whenever an image comes, goes or changes its shape. */
  revision: number
}

/** What the layout of a piece depends on. */
export interface Outline {
  revision: number
  count: number
  images: readonly Image[] | null
  /** When its first and last image were created; the first is known only where the images are. */
  newest: string
  oldest: string
}

/** Orders as the API does: by creation or by its own key, then by id. */
export function keyOf(place: { created_at: string; id: string; sort_key?: string | null }): Key {
  if (place.sort_key != null) return `${byCodePoints(place.sort_key)}\0${place.id}`
  const [seconds = '', fraction = ''] = place.created_at.replace('Z', '').split('.')
  return `${seconds}.${fraction.padEnd(6, '0')} ${place.id}`
}

/** A string that compares with others as its code points do: surrogates come behind all other UTF-16 units. */
const byCodePoints = (text: string): string =>
  text.replace(/[\ud800-\uffff]/g, (unit) => String.fromCharCode(unit.charCodeAt(0) + (unit < '\ue000' ? 0x2000 : -0x800)))

/** What to ask the API for to fill a piece: from where, about how many, and down to where they belong to it. */
export interface Order {
  cursor: string | null
  count: number
  end: Key
}

/** Whether an answer that ends with `last` reaches behind the end of what was ordered. */
export const reaches = (order: Order, last: Image): boolean => !!order.end && keyOf(last) <= order.end

/** What of an answer was ordered. */
export const within = (order: Order, images: Image[]): Image[] => images.filter((image) => !order.end || keyOf(image) >= order.end)

/** Counts for all lists together, as layouts are kept from one list to the next. */
let revisions = 0

const sizeOf = (image: Image): string => `${(image.thumbnail ?? image).width}x${(image.thumbnail ?? image).height}`

export type Effect = 'none' | 'changed' | 'resized'

export class Shelf {
  #pieces: Piece[] = []
  #starts: number[] = [0]
  #homes = new Map<string, Piece>()
  #clock = 0
  /** Where the marks go on; null at the end. */
  next: string | null = null
  /** Whether images newer than all others belong here (not so where a filter ends in the past). */
  isOpen = true

  get size(): number {
    return this.#starts.at(-1) ?? 0
  }

  get pieces(): number {
    return this.#pieces.length
  }

  /** How many images are in memory. */
  get held(): number {
    return this.#homes.size
  }

  /**
   * Begins anew with the marks of a list, and keeps the images that are known already. What is new on top is taken for
   * the first piece's as it loads, so that what is in sight there does not go away meanwhile.
   */
  adopt(marks: Marks, isStale = false): void {
    const known = this.#pieces.flatMap((piece) => piece.images ?? [])
    isStale ||= this.#pieces.some((piece) => piece.isStale)
    this.#pieces = []
    this.#homes.clear()
    this.append(marks)
    if (!this.#pieces.length && this.isOpen) this.#pieces = [{ cursor: null, end: '', count: 0, images: [], isStale: false, used: 0, since: '', revision: 0 }]
    const found = new Map<Piece, Image[]>()
    for (const image of known) {
      const piece = this.#pieceOf(keyOf(image))
      if (!piece) continue
      const images = found.get(piece) ?? []
      images.push(image)
      found.set(piece, images)
    }
    for (const [piece, images] of found) {
      if (images.length !== piece.count && !(isStale && piece === this.#pieces[0])) continue
      this.#fill(piece, images)
      piece.isStale = isStale
    }
    this.#measure()
  }

  /** Goes on with the next marks of the same list. */
  append(marks: Marks): void {
    this.#pieces.push(...marks.marks.map((mark) => pieceFrom(mark)))
    this.next = marks.next
    const final = this.#pieces.at(-1)
    if (final && !this.next) final.end = ''
    this.#measure()
  }

  at(index: number): Image | undefined {
    const number = this.pieceAt(index)
    const piece = this.#pieces[number]
    if (!piece?.images) return undefined
    piece.used = ++this.#clock
    return piece.images[index - this.#starts[number]!]
  }

  find(id: string): Image | undefined {
    return this.#homes.get(id)?.images?.find((image) => image.id === id)
  }

  /** The place of a known image in the list, or -1. */
  indexOf(id: string): number {
    const piece = this.#homes.get(id)
    if (!piece?.images) return -1
    return this.#starts[this.#pieces.indexOf(piece)]! + piece.images.findIndex((image) => image.id === id)
  }

  /** Which piece an image belongs to, loaded or not; -1 for one that the marks do not reach. */
  pieceFor(image: Image): number {
    const piece = this.#pieceOf(keyOf(image))
    return piece ? this.#pieces.indexOf(piece) : -1
  }

  /** Whether an image would come before all that are here, and move them. */
  isNews(image: Image): boolean {
    const first = this.#pieces[0]?.images?.[0]
    return this.isOpen && !!first && !this.#homes.has(image.id) && keyOf(image) > keyOf(first)
  }

  /** Which piece holds the image at `index`. */
  pieceAt(index: number): number {
    let low = 0
    let high = this.#pieces.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#starts[middle]! <= index) low = middle
      else high = middle - 1
    }
    return low
  }

  /** Whether the images of a piece are there and true. */
  isLoaded(number: number): boolean {
    const piece = this.#pieces[number]
    return piece?.images != null && !piece.isStale
  }

  order(number: number): Order | undefined {
    const piece = this.#pieces[number]
    return piece && { cursor: piece.cursor, count: piece.count, end: piece.end }
  }

  /** The images of a piece, if it is loaded, and the place of its first one in the list. */
  piece(number: number): { images: readonly Image[] | null; start: number } {
    return { images: this.isLoaded(number) ? this.#pieces[number]!.images : null, start: this.#starts[number] ?? 0 }
  }

  /** All pieces, for their layout. */
  outlines(): Outline[] {
    return this.#pieces.map(({ revision, count, images, since }) => ({
      revision,
      count,
      images,
      newest: images?.[0]?.created_at ?? '',
      oldest: images?.at(-1)?.created_at ?? since,
    }))
  }

  /** Puts what the API answered for a piece into it. */
  fill(number: number, images: Image[]): void {
    const piece = this.#pieces[number]
    if (!piece) return
    this.#fill(piece, within(piece, images))
    this.#measure()
  }

  /** Takes a change of one image: it comes, changes, or goes where it does not belong here any more. */
  apply(image: Image, belongs: boolean): Effect {
    const home = this.#homes.get(image.id)
    if (home?.images) {
      if (!belongs) return this.remove(image.id)
      const at = home.images.findIndex((each) => each.id === image.id)
      if (sizeOf(home.images[at]!) !== sizeOf(image)) home.revision = ++revisions
      home.images[at] = image
      return 'changed'
    }
    if (!belongs) return 'none'
    const key = keyOf(image)
    const piece = this.#pieceOf(key)
    // what a piece that is not loaded holds is found out when it is
    if (!piece?.images || (piece === this.#pieces[0] && !this.isOpen && key > keyOf(piece.images[0] ?? image))) return 'none'
    let at = piece.images.findIndex((each) => keyOf(each) < key)
    if (at < 0) at = piece.images.length
    piece.images.splice(at, 0, image)
    piece.count = piece.images.length
    piece.revision = ++revisions
    this.#homes.set(image.id, piece)
    this.#measure()
    return 'resized'
  }

  remove(id: string): Effect {
    const piece = this.#homes.get(id)
    if (!piece?.images) return 'none'
    piece.images = piece.images.filter((image) => image.id !== id)
    piece.count = piece.images.length
    piece.revision = ++revisions
    this.#homes.delete(id)
    this.#measure()
    return 'resized'
  }

  /** Whether so many images came on top that the list should be cut anew. */
  get isTopHeavy(): boolean {
    return (this.#pieces[0]?.count ?? 0) > 1000
  }

  /** Forgets the pieces that were not looked at for the longest time; never the first one, which grows. */
  forget(keep: number): void {
    const loaded = this.#pieces.slice(1).filter((piece) => piece.images)
    loaded.sort((one, other) => other.used - one.used)
    for (const piece of loaded.slice(keep)) {
      for (const image of piece.images!) this.#homes.delete(image.id)
      piece.images = null
    }
  }

  #fill(piece: Piece, images: Image[]): void {
    for (const image of piece.images ?? []) this.#homes.delete(image.id)
    piece.images = images
    piece.isStale = false
    piece.count = images.length
    piece.used = ++this.#clock
    piece.revision = ++revisions
    for (const image of images) this.#homes.set(image.id, piece)
  }

  #pieceOf(key: Key): Piece | undefined {
    let low = 0
    let high = this.#pieces.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      const end = this.#pieces[middle]!.end
      if (!end || key >= end) high = middle
      else low = middle + 1
    }
    const piece = this.#pieces[low]
    return piece && (!piece.end || key >= piece.end) ? piece : undefined
  }

  #measure(): void {
    let start = 0
    this.#starts = [0]
    for (const piece of this.#pieces) this.#starts.push((start += piece.count))
  }
}

const pieceFrom = (mark: Mark): Piece => ({
  cursor: mark.cursor,
  end: keyOf(mark),
  count: mark.count,
  images: null,
  isStale: false,
  used: 0,
  since: mark.created_at,
  revision: 0,
})
