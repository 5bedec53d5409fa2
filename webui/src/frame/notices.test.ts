import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { notices } from './notices.svelte'

const shown = () => notices.all.map((notice) => notice.text)
const undo = { label: 'Undo', run: () => {} }

describe('notices', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => {
    vi.runAllTimers()
    vi.useRealTimers()
  })

  it('stay for a while, and are said once', () => {
    notices.show('Saved.')
    notices.show('Saved.')
    expect(shown()).toEqual(['Saved.'])
    vi.advanceTimersByTime(6000)
    expect(shown()).toEqual([])
  })

  it('keep the way back, whatever comes after it', () => {
    notices.show('Deleted.', { seconds: 30, action: undo })
    for (let number = 1; number <= 9; number++) notices.show(`News ${number}`)
    expect(shown()).toEqual(['Deleted.', 'News 5', 'News 6', 'News 7', 'News 8', 'News 9'])
  })

  it('go when they stop being true, and when something else is true', () => {
    notices.show('Processing is paused.', { about: 'pause' })
    notices.show('The server does not answer.', { about: 'connection' })
    notices.show('Processing goes on.', { about: 'pause' })
    expect(shown()).toEqual(['The server does not answer.', 'Processing goes on.'])
    notices.end('connection')
    expect(shown()).toEqual(['Processing goes on.'])
  })

  it('are never so many that they fill the screen', () => {
    for (let number = 1; number <= 9; number++) notices.show(`Deleted ${number}`, { seconds: 30, action: undo })
    notices.show('News')
    expect(shown()).toEqual(['Deleted 5', 'Deleted 6', 'Deleted 7', 'Deleted 8', 'Deleted 9', 'News'])
  })
})
