import { describe, expect, it } from 'vitest'
import { Blocks, type Part, Plan } from './plan'
import { HEADING, layOut, type Shape } from './rows'

const MEASURE = { width: 1200, target: 200, gap: 6 }
const WITHOUT = { before: '', after: '' }

/** Shapes that look like chance and are always the same. */
const mixed = (count: number, day = ''): Shape[] =>
  Array.from({ length: count }, (_, number) => ({ ratio: [1.5, 0.67, 1, 1.78, 0.8, 2.4, 1.33][(number * 5) % 7]!, day }))

const right = ({ boxes }: { boxes: { left: number; width: number }[] }) => boxes.at(-1)!.left + boxes.at(-1)!.width

describe('rows', () => {
  it('hold every picture once, in its shape, and fill the width', () => {
    const shapes = mixed(200)
    const { rows } = layOut(shapes, MEASURE, { before: '', after: '' })
    expect(rows.flatMap(({ boxes }) => boxes)).toHaveLength(200)
    for (const row of rows) {
      expect(row.height).toBeGreaterThan(150)
      expect(row.height).toBeLessThan(270)
      expect(Math.abs(right(row) - 1200)).toBeLessThanOrEqual(1)
      for (const [number, box] of row.boxes.entries()) expect(box.width / row.height).toBeCloseTo(shapes[row.first + number]!.ratio, 1)
    }
  })

  it('end short where a day ends, and full where it goes on behind the block', () => {
    const one = mixed(1, 'Monday')
    expect(right(layOut(mixed(202, 'Monday'), MEASURE, { before: 'Monday', after: 'Monday' }).rows.at(-1)!)).toBe(1200)
    const [heading, row] = layOut(one, MEASURE, WITHOUT).rows
    expect(heading).toMatchObject({ day: 'Monday', boxes: [], height: HEADING })
    expect(row).toMatchObject({ height: 200, top: HEADING, boxes: [{ left: 0, width: 300 }] })
  })

  it('have a heading for each day, but none for a day that began before', () => {
    const days = layOut([...mixed(5, 'Tuesday'), ...mixed(9, 'Monday')], MEASURE, { before: 'Tuesday', after: '' })
    expect(days.rows.filter(({ day }) => day).map(({ day, first }) => [day, first])).toEqual([['Monday', 5]])
  })

  it('give a panorama a row of its own, and bound what is thinner than any screen', () => {
    const { rows } = layOut([{ ratio: 6000 / 900, day: '' }, ...mixed(30)], MEASURE, WITHOUT)
    expect(rows[0]).toMatchObject({ height: 180, boxes: [{ left: 0, width: 1200 }] })
    const [line] = layOut([{ ratio: 1000, day: '' }], MEASURE, WITHOUT).rows
    expect(line!.height).toBeGreaterThan(150)
  })
})

const part = (revision: number, count: number, shapes: Shape[] | null): Part => ({ revision, count, shapes: shapes && (() => shapes), since: '', before: '', after: '' })

describe('a list', () => {
  it('has one picture in each row, whatever its shape, under the same headings', () => {
    const { rows, height } = layOut([...mixed(3, 'Tuesday'), ...mixed(2, 'Monday')], { width: 900, target: 56, gap: 0, isList: true }, WITHOUT)
    expect(rows.map(({ boxes, first, top }) => [boxes.length, first, top])).toEqual([[0, 0, 0], [1, 0, 48], [1, 1, 104], [1, 2, 160], [0, 3, 216], [1, 3, 264], [1, 4, 320]])
    expect(rows[1]!.boxes).toEqual([{ left: 0, width: 900 }])
    expect(height).toBe(376)
  })

  it('is laid out anew when a person chooses it', () => {
    const blocks = new Blocks()
    const parts = [part(1, 4, mixed(4))]
    const grid = new Plan(parts, MEASURE, 1.5, blocks)
    expect(new Plan(parts, { ...MEASURE, isList: true }, 1.5, blocks).rows).toBe(4)
    expect(new Plan(parts, MEASURE, 1.5, blocks).rows).toBe(grid.rows)
  })
})

describe('a plan', () => {
  it('knows the place of every picture of a list of which only a piece is loaded', () => {
    const parts = Array.from({ length: 500 }, (_, number) => part(number, 200, number === 250 ? mixed(200) : null))
    const plan = new Plan(parts, MEASURE)
    for (const index of [0, 49_999, 50_000, 50_123, 99_999]) {
      const row = plan.rowOf(index)!
      expect(index - row.index).toBeLessThan(row.boxes.length)
      expect(plan.between(row.top + 1, row.top + 2)).toEqual([row])
      expect(plan.row(row.number)).toBe(row)
    }
    expect(plan.rowOf(99_999)!.top).toBeLessThan(plan.height)
  })

  it('goes up and down to the nearest picture, across headings and pieces', () => {
    const plan = new Plan([part(1, 7, mixed(7, 'Tuesday')), part(2, 7, mixed(7, 'Monday'))], MEASURE)
    const below = plan.beside(6, 1)
    expect(below).toBeGreaterThanOrEqual(7)
    expect(plan.beside(below, -1)).toBeLessThan(7)
    expect(plan.beside(0, -1)).toBe(0)
    expect(plan.beside(13, 1)).toBe(13)
  })

  it('says where days begin, also of pieces that are not loaded', () => {
    const unknown = { ...part(3, 200, null), since: '2026-01-01T12:00:00Z' }
    const plan = new Plan([part(1, 7, [...mixed(3, 'Tue Jan 06 2026'), ...mixed(4, 'Mon Jan 05 2026')]), unknown], MEASURE)
    expect(plan.landmarks().map(({ day }) => day)).toEqual(['Tue Jan 06 2026', 'Mon Jan 05 2026', 'Thu Jan 01 2026'])
    expect(plan.landmarks()[2]!.top).toBe(plan.rowOf(7)!.top)
  })

  it('lays out again only what has changed', () => {
    const blocks = new Blocks()
    let asked = 0
    const counted = (revision: number): Part => ({ ...part(revision, 200, null), shapes: () => (asked++, mixed(200)) })
    new Plan([counted(1), counted(2)], MEASURE, 1.5, blocks)
    new Plan([counted(1), counted(3)], MEASURE, 1.5, blocks)
    expect(asked).toBe(3)
  })
})
