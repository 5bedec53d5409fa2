import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
const components = files.filter((path) => path.endsWith('.svelte'))
const scripts = files.filter((path) => path.endsWith('.ts') && !/\.(test|d)\.ts$/.test(path))
const read = (path: string) => readFileSync(join(root, path), 'utf8')

/** The words that a component's markup has of its own. */
function wordsOf(source: string): string[] {
  const markup = source.replace(/<(script|style)[^]*?<\/\1>/g, '').replace(/<!--[^]*?-->/g, '')
  let depth = 0
  const bare = [...markup.replace(/&\w+;/g, ' ')].filter((letter) => {
    if (letter === '{') depth++
    const isKept = depth === 0
    if (letter === '}') depth--
    return isKept
  })
  const texts = bare.join('').replace(/<[^>]*>/g, (tag) => /\s(?:aria-label|title|placeholder|alt)="([^"]*)"/.exec(tag)?.[1] ?? ' ')
  return texts.match(/\p{L}{2,}/gu) ?? []
}

/** What a script says by errors, which are shown as they are. */
function errorsOf(source: string): string[] {
  return [...source.matchAll(/new (?:\w*Error|Refused|Lost|Away|Problem)\(\s*(['"`])(.*?)\1/gs)].map((found) => found[2]!)
}

it('has no words outside of texts.ts', () => {
  expect(components.length).toBeGreaterThan(20)
  for (const path of components) expect(wordsOf(read(path)), path).toEqual([])
})

it('has no errors with words outside of texts.ts', () => {
  expect(scripts.length).toBeGreaterThan(30)
  for (const path of [...scripts, ...components]) expect(errorsOf(read(path)), path).toEqual([])
})

it('would find them', () => {
  expect(errorsOf("throw new Error('It is gone.')\nreject(new Refused(t.gone))\nnew TypeError(`Not ${name}`)")).toEqual(['It is gone.', 'Not ${name}'])
  expect(wordsOf('<p class="quiet" aria-label="Say">{t.close} it <b onclick={() => go(1)}>aloud</b></p>')).toEqual(['Say', 'it', 'aloud'])
})
