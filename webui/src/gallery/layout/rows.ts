// Lays pictures of any shape out in rows that fill the width, under headings of their days.

/** A picture's width by its height, and the day under which it stands; without one there are no headings. */
export interface Shape {
  ratio: number
  day: string
}

/** Pixels of a layout: its width, the height that rows should have, and the space between pictures; a list has one in each row. */
export interface Measure {
  width: number
  target: number
  gap: number
  isList?: boolean
}

/** The days of the pictures before and after a block; empty where there are none. */
export interface Edges {
  before: string
  after: string
}

export interface Box {
  left: number
  width: number
}

/** A row of pictures, or a heading, which has no boxes. Its top is measured from that of its block. */
export interface Row {
  /** The place of its first picture within the block. */
  first: number
  top: number
  height: number
  boxes: Box[]
  day: string
}

export interface Block {
  rows: Row[]
  height: number
}

export const HEADING = 48
/** Beyond these shapes a tile shows its picture with a margin. */
const [NARROWEST, WIDEST] = [0.4, 7]
/** Shares of the wanted height between which a row is looked for, and the most that a row is stretched to. */
const [LOWEST, HIGHEST] = [0.4, 1.6]
/** What a row costs that cannot fill the width. */
const RAGGED = 4

export const shown = (ratio: number): number => Math.min(WIDEST, Math.max(NARROWEST, ratio))

/** Lays out one block, whose rows depend on no other block, so that it can be known before its neighbours are. */
export function layOut(shapes: Shape[], measure: Measure, { before, after }: Edges): Block {
  const rows: Row[] = []
  let top = 0
  for (let first = 0; first < shapes.length; ) {
    const { day } = shapes[first]!
    let end = first + 1
    while (end < shapes.length && shapes[end]!.day === day) end++
    if (day && (first > 0 || day !== before)) {
      rows.push({ first, top, height: HEADING, boxes: [], day })
      top += HEADING
    }
    const isOver = end < shapes.length || day !== after
    const part = shapes.slice(first, end)
    for (const row of measure.isList ? lines(part, measure) : fill(part, measure, isOver)) {
      rows.push({ ...row, first: first + row.first, top, day: '' })
      top += row.height + measure.gap
    }
    first = end
  }
  return { rows, height: top }
}

const lines = (shapes: Shape[], { width, target }: Measure) => shapes.map((_, first) => ({ first, height: target, boxes: [{ left: 0, width }] }))

/**
 * Breaks pictures into rows as near to the wanted height as all of them together can be, as TeX breaks a paragraph into
 * lines (Knuth and Plass 1981). The last row is left short where its day is over.
 */
function fill(shapes: Shape[], { width, target, gap }: Measure, isOver: boolean): Omit<Row, 'top' | 'day'>[] {
  const ratios = shapes.map(({ ratio }) => shown(ratio))
  const costs = [0]
  const starts = [0]
  for (let end = 1; end <= ratios.length; end++) {
    costs[end] = Infinity
    for (let start = end - 1, sum = 0; start >= 0; start--) {
      sum += ratios[start]!
      const height = (width - gap * (end - start - 1)) / sum
      if (height < target * LOWEST && start < end - 1) break
      const cost = costs[start]! + costOf(height / target, isOver && end === ratios.length)
      if (cost < costs[end]!) [costs[end], starts[end]] = [cost, start]
    }
  }
  const rows: Omit<Row, 'top' | 'day'>[] = []
  for (let end = ratios.length; end > 0; end = starts[end]!) {
    const isLast = isOver && end === ratios.length
    rows.unshift(rowOf(ratios.slice(starts[end], end), starts[end]!, { width, target, gap }, isLast))
  }
  return rows
}

function costOf(stretch: number, isLast: boolean): number {
  if (isLast && stretch > 1) return 0
  return Math.log(stretch) ** 2 + (stretch > HIGHEST ? RAGGED : 0)
}

function rowOf(ratios: number[], first: number, { width, target, gap }: Measure, isLast: boolean): Omit<Row, 'top' | 'day'> {
  const room = width - gap * (ratios.length - 1)
  const full = room / ratios.reduce((sum, ratio) => sum + ratio, 0)
  const isFull = full <= target * (isLast ? 1 : HIGHEST)
  const exact = isFull ? full : target
  let sum = 0
  const boxes = ratios.map((ratio, number) => {
    const left = Math.round(sum * exact) + gap * number
    sum += ratio
    return { left, width: Math.round(sum * exact) + gap * number - left }
  })
  return { first, height: Math.max(1, Math.round(exact)), boxes }
}
