import { describe, expect, it } from 'vitest'
import { nameOf } from '../recipes/names'
import { approximate } from './approximate'
import { begin, commit, redo, undo } from './history'

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

describe('the approximation', () => {
  it('changes nothing while nothing was changed', () => {
    const steps = [{ transform: 'brightness', factor: 1.3 }]
    expect(approximate(steps, steps, 500)).toEqual({ filter: 'none', transform: 'none' })
  })

  it('shows the difference to what is shown', () => {
    const shown = [{ transform: 'brightness', factor: 1.2 }]
    expect(approximate(shown, [{ transform: 'brightness', factor: 1.5 }], 500).filter).toBe('brightness(1.25)')
    expect(approximate([], [{ transform: 'blur', radius: '1%' }], 500).filter).toBe('blur(5px)')
    expect(approximate([{ transform: 'rotate', angle: 90 }], [{ transform: 'rotate', angle: 60 }], 500).transform).toBe('rotate(-30deg)')
    expect(approximate([], [{ transform: 'flip', direction: 'vertical' }], 500).transform).toBe('scale(1, -1)')
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
