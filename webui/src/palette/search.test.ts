import { describe, expect, it } from 'vitest'
import { type Command, offer, offered } from './offers'
import { matching } from './search'

const command = (name: string): Command => ({ name, icon: 'search', run() {} })
const ALL = ['Pictures', 'Upload', 'Upload a folder', 'Pause processing', 'Show: Processing', 'Appearance: Dark'].map(command)
const names = (typed: string) => matching(ALL, typed).map(({ name }) => name)

describe('the command palette', () => {
  it('shows everything in its order before a person types', () => {
    expect(names(' ')).toEqual(ALL.map(({ name }) => name))
  })

  it('finds every typed word anywhere in a name, in any case', () => {
    expect(names('FOLDER up')).toEqual(['Upload a folder'])
    expect(names('nothing')).toEqual([])
  })

  it('puts names that begin with the text before words that do', () => {
    expect(names('p')).toEqual(['Pictures', 'Pause processing', 'Show: Processing', 'Upload', 'Upload a folder', 'Appearance: Dark'])
    expect(names('pro')).toEqual(['Pause processing', 'Show: Processing'])
  })

  it('has the commands of the shown view only', () => {
    const end = offer(() => [command('Compare')])
    expect(offered().map(({ name }) => name)).toEqual(['Compare'])
    end()
    expect(offered()).toEqual([])
  })
})
