// Where each picture of the whole list stands: blocks of rows below each other, of which only those in sight are looked at.

import { type Block, layOut, type Measure, type Row, type Shape } from './rows'

/** A piece of the list, in the order in which it is shown. */
export interface Part {
  /** Changes with everything that the layout depends on. */
  revision: number
  count: number
  /** Its pictures' shapes, once they are known. */
  shapes: (() => Shape[]) | null
  /** When its first picture was created, as far as that is known. */
  since: string
  /** The days of the pictures before and after it. */
  before: string
  after: string
}

/** A row at its place in the whole list. */
export interface Placed extends Row {
  /** The place of its first picture in the whole list. */
  index: number
  /** Its number among all rows and headings. */
  number: number
}

/** A day, and how far from the top its pictures begin. */
export interface Landmark {
  day: string
  top: number
}

/** Keeps the blocks of parts that stay as they are. */
export class Blocks {
  #known = new Map<string, Block>()

  /** The block of a part; what is not known yet is taken to be of one shape. */
  of(part: Part, measure: Measure, guess: number): Block {
    const { shapes, count } = part
    const key = shapes ? [part.revision, part.before, part.after] : ['guess', count, guess]
    const name = [...key, measure.width, measure.target, measure.isList].join(' ')
    const found = this.#known.get(name) ?? layOut(shapes?.() ?? Array.from({ length: count }, () => ({ ratio: guess, day: '' })), measure, shapes ? part : { before: '', after: '' })
    this.#known.delete(name) // what was asked for last is the last to be forgotten
    this.#known.set(name, found)
    return found
  }

  forget(most: number): void {
    for (const name of this.#known.keys()) {
      if (this.#known.size <= most) return
      this.#known.delete(name)
    }
  }
}

export class Plan {
  #blocks: Block[] = []
  #tops: number[] = [0]
  #starts: number[] = [0]
  #numbers: number[] = [0]
  #placed = new Map<number, Placed[]>()
  #parts: readonly Part[]

  constructor(parts: readonly Part[] = [], measure: Measure = { width: 1, target: 1, gap: 0 }, guess = 1.5, blocks = new Blocks()) {
    this.#parts = parts
    for (const part of parts) {
      const block = blocks.of(part, measure, guess)
      this.#blocks.push(block)
      this.#tops.push(this.#tops.at(-1)! + block.height)
      this.#starts.push(this.#starts.at(-1)! + part.count)
      this.#numbers.push(this.#numbers.at(-1)! + block.rows.length)
    }
  }

  get height(): number {
    return this.#tops.at(-1)!
  }

  get rows(): number {
    return this.#numbers.at(-1)!
  }

  /** The rows between two distances from the top. */
  between(top: number, bottom: number): Placed[] {
    const found: Placed[] = []
    for (let block = last(this.#tops, top); block < this.#blocks.length && this.#tops[block]! < bottom; block++) {
      for (const row of this.#rows(block)) if (row.top + row.height > top && row.top < bottom) found.push(row)
    }
    return found
  }

  /** The days in their order; of pieces that are not loaded, the days at which they begin. */
  landmarks(): Landmark[] {
    return this.#parts.flatMap((part, at) => {
      const top = this.#tops[at]!
      const headings = this.#blocks[at]!.rows.filter(({ day }) => day)
      const begun = part.since ? [{ day: new Date(part.since).toDateString(), top }] : []
      return [...begun, ...headings.map((row) => ({ day: row.day, top: top + row.top }))]
    })
  }

  /** The row in which a picture stands. */
  rowOf(index: number): Placed | undefined {
    const block = last(this.#starts, index)
    return this.#rows(block).findLast((row) => row.boxes.length && row.index <= index)
  }

  /** The place of the picture straight above (-1) or below (1) another, if there is one. */
  beside(index: number, way: 1 | -1): number {
    const row = this.rowOf(index)
    if (!row) return index
    const box = row.boxes[index - row.index]!
    const middle = box.left + box.width / 2
    let number = row.number + way
    while (this.row(number) && !this.row(number)!.boxes.length) number += way
    const next = this.row(number)
    return next ? nearest(next, middle) : index
  }

  row(number: number): Placed | undefined {
    if (number < 0) return undefined
    const block = last(this.#numbers, number)
    return this.#rows(block)[number - this.#numbers[block]!]
  }

  #rows(block: number): Placed[] {
    const known = this.#placed.get(block)
    if (known) return known
    const [top, index, number] = [this.#tops[block]!, this.#starts[block]!, this.#numbers[block]!]
    const made = (this.#blocks[block]?.rows ?? []).map((row, at) => ({ ...row, top: top + row.top, index: index + row.first, number: number + at }))
    this.#placed.set(block, made)
    return made
  }
}

function nearest({ boxes, index }: Placed, middle: number): number {
  const away = boxes.map(({ left, width }) => Math.abs(left + width / 2 - middle))
  return index + away.indexOf(Math.min(...away))
}

/** The last place at which a rising list is at most `value`, its end left out. */
function last(rising: number[], value: number): number {
  let low = 0
  let high = Math.max(0, rising.length - 2)
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (rising[middle]! <= value) low = middle
    else high = middle - 1
  }
  return low
}
