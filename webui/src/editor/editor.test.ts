import { describe, expect, it } from 'vitest'
import { nameOf } from '../recipes/names'
import { approximate, fit } from './approximate'
import { keepFrames } from './frames'
import { COLUMNS, count, outline } from './histogram'
import { baseOf, begin, commit, redo, undo } from './history'

describe('the history', () => {
  it('goes back and forth', () => {
    let past = begin<number[]>([])
    past = commit(commit(past, [1]), [1, 2])
    expect(undo(past).now).toEqual([1])
    expect(redo(undo(past)).now).toEqual([1, 2])
    expect(undo(undo(undo(past))).now).toEqual([])
  })

  it('forgets what was undone when something else is done', () => {
    const past = commit(undo(commit(begin('a'), 'b')), 'c')
    expect(redo(past).now).toBe('c')
    expect(undo(past).now).toBe('a')
  })

  it('takes no step that changes nothing', () => {
    const past = begin(['a'])
    expect(commit(past, ['a'])).toBe(past)
  })
})

describe('a gesture', () => {
  const at = (at: number, of = 'factor') => ({ of, at })

  it('is undone as one, however many keys it took', () => {
    let past = commit(begin(1), 2)
    for (const [index, value] of [3, 4, 5].entries()) past = commit(past, value, at(index * 900))
    expect(past.now).toBe(5)
    expect(undo(past).now).toBe(2)
    expect(redo(undo(past)).now).toBe(5)
  })

  it('ends with a pause, with another control, and with an undo', () => {
    const held = commit(begin(1), 2, at(0))
    expect(undo(commit(held, 3, at(1001))).now).toBe(2)
    expect(undo(commit(held, 3, at(10, 'angle'))).now).toBe(2)
    expect(undo(commit(held, 3)).now).toBe(2)
    const undone = undo(commit(held, 3, at(10, 'angle')))
    expect(undo(commit(undone, 4, at(20))).now).toBe(2)
  })

  it('that comes back to where it began is none', () => {
    const past = commit(commit(begin(1), 2, at(0)), 1, at(100))
    expect([past.now, past.before]).toEqual([1, []])
  })

  it('is measured from its beginning', () => {
    const past = commit(begin(1), 2, at(0))
    expect(baseOf(past, at(100))).toBe(1)
    expect(baseOf(past, at(5000))).toBe(2)
  })
})

describe('a frame', () => {
  const rotate = (angle: number) => ({ transform: 'rotate', angle, expand: true })
  const crop = (x: string, y: string, width: string, height: string) => ({ transform: 'crop', x, y, width, height })

  it('stays on its part of a picture that is turned by quarters', () => {
    const before = [rotate(0), crop('10%', '20%', '30%', '25%')]
    const after = (angle: number) => keepFrames(before, [rotate(angle), before[1]!])[1]
    expect(after(90)).toEqual(crop('55%', '10%', '25%', '30%'))
    expect(after(180)).toEqual(crop('60%', '55%', '30%', '25%'))
    expect(after(-90)).toEqual(crop('20%', '60%', '25%', '30%'))
    expect(after(45)).toEqual(before[1])
  })

  it('turns the other way on a mirrored picture', () => {
    const flip = { transform: 'flip', direction: 'horizontal' }
    const before = [rotate(0), flip, crop('10%', '20%', '30%', '25%')]
    expect(keepFrames(before, [rotate(90), flip, before[2]!])[2]).toEqual(crop('20%', '60%', '25%', '30%'))
  })

  it('stays where nothing is turned, and where it has no shares', () => {
    const frame = crop('10px', '20px', '300px', '250px')
    expect(keepFrames([rotate(0), frame], [rotate(90), frame])[1]).toEqual(frame)
    const steps = [crop('10%', '20%', '30%', '25%'), rotate(0)]
    expect(keepFrames(steps, [steps[0]!, rotate(90)])).toEqual([steps[0], rotate(90)])
    expect(keepFrames(steps, [steps[0]!])).toEqual([steps[0]])
  })
})

describe('the approximation', () => {
  it('changes nothing while nothing was changed', () => {
    const steps = [{ transform: 'brightness', factor: 1.3 }]
    expect(approximate(steps, steps, 500)).toEqual({ filter: 'none', transform: 'none', turn: 0 })
  })

  it('shows the difference to what is shown', () => {
    const shown = [{ transform: 'brightness', factor: 1.2 }]
    expect(approximate(shown, [{ transform: 'brightness', factor: 1.5 }], 500).filter).toBe('brightness(1.25)')
    expect(approximate([], [{ transform: 'blur', radius: '1%' }], 500).filter).toBe('blur(5px)')
    expect(approximate([{ transform: 'rotate', angle: 90 }], [{ transform: 'rotate', angle: 60 }], 500).transform).toBe('rotate(-30deg)')
    expect(approximate([], [{ transform: 'flip', direction: 'vertical' }], 500).transform).toBe('scale(1, -1)')
  })

  it('keeps a picture that is turned within the stage', () => {
    const [size, room] = [{ width: 900, height: 600 }, { width: 1000, height: 600 }]
    expect(fit(90, size, room, 2)).toBe(0.667)
    expect(fit(-90, { width: 400, height: 600 }, room, 2)).toBe(1.5)
    expect(fit(-90, { width: 400, height: 600 }, room, 1)).toBe(1) // it is no larger than that
    expect(fit(0, size, room, 2)).toBe(1)
    expect(fit(45, size, room, 2)).toBeLessThan(0.6)
  })

  it('does not try to bring back colours that are gone', () => {
    expect(approximate([{ transform: 'grayscale', amount: 1 }], [], 500).filter).toBe('none')
  })
})

describe("a recipe's name", () => {
  it('is made of its title', () => {
    expect(nameOf('Über the Sea, No. 3!')).toBe('uber-the-sea-no-3')
    expect(nameOf('???')).toBe('recipe')
  })
})

describe('a histogram', () => {
  it('counts levels of what can be seen', () => {
    const found = count(new Uint8ClampedArray([0, 128, 255, 255, 3, 128, 255, 255, 9, 9, 9, 0]))
    expect([found.red[0], found.green[COLUMNS / 2], found.blue[COLUMNS - 1]]).toEqual([2, 2, 2])
    expect(found.red.reduce((sum, each) => sum + each)).toBe(2)
  })

  it('is not flattened by what is black or white altogether', () => {
    const column = new Array<number>(COLUMNS).fill(0)
    column[0] = 10_000
    column[9] = 4
    const path = outline(column, { red: column, green: column, blue: column })
    expect(path).toContain('L9 0L')
  })
})

describe('an exposure', () => {
  it('is about a factor on levels until the server has drawn it', () => {
    const { filter } = approximate([], [{ transform: 'exposure', stops: 1 }], 100)
    expect(Number(/brightness\(([\d.]+)\)/.exec(filter)?.[1])).toBeCloseTo(1.37, 2)
  })
})
