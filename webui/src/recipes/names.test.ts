import { describe, expect, it } from 'vitest'
import { nameFor, nameOf, titled, titleOf } from './names'

const saved = (name: string, title: string) => ({ name, title, is_builtin: false })
const builtin = (name: string, title: string) => ({ name, title, is_builtin: true })

describe('names of recipes', () => {
  it('are made of their titles', () => {
    expect(['My look', ' Été à Paris! ', 'Портрет', 'x'.repeat(99)].map((title) => nameOf(title))).toEqual(['my-look', 'ete-a-paris', 'recipe', 'x'.repeat(64)])
  })

  it('differ where titles do, though not in letters that a name has', () => {
    expect(nameFor('Пейзаж', [saved('recipe', 'Портрет')])).toBe('recipe-2')
    expect(nameFor('My look!', [saved('my-look', 'My look'), saved('my-look-2', 'My: look')])).toBe('my-look-3')
    expect(nameFor('Circles', [builtin('circles', 'Circles')])).toBe('circles-2')
    const long = 'x'.repeat(64)
    expect(nameFor(`${long}!`, [saved(long, long)])).toMatch(/^x{58}-2$/)
  })

  it('are found by what they do, as saved ones are sent without their names', () => {
    const all = [{ ...builtin('web', 'Web'), digest: '1' }, { ...saved('mine', 'Mine'), digest: '2' }, { ...saved('twin', 'Twin'), digest: '2' }]
    const title = (recipe_name: string | null, recipe_digest: string) => titleOf({ recipe_name, recipe_digest }, all)
    expect(title(null, '1')).toBe('Web')
    expect(title(null, '2')).toBe('Mine')
    expect(title('twin', '2')).toBe('Twin')
    expect(title('web', 'of an older version')).toBe('Web')
    expect(title('gone', '3')).toBe('gone')
    expect(title(null, '3')).toBeNull()
  })

  it('stay where a title stays, so that the recipe is replaced', () => {
    const all = [saved('recipe', 'Портрет'), saved('recipe-2', 'Пейзаж')]
    expect(nameFor('Пейзаж', all)).toBe('recipe-2')
    expect(titled('Пейзаж', all)).toBe(all[1])
    expect(titled('Circles', [builtin('circles', 'Circles')])).toBeUndefined()
  })
})
