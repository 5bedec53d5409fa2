import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const components = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.svelte'))

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

it('has no words outside of texts.ts', () => {
  expect(components.length).toBeGreaterThan(20)
  for (const path of components) expect(wordsOf(readFileSync(join(import.meta.dirname, path), 'utf8')), path).toEqual([])
})

it('would find them', () => {
  expect(wordsOf('<p class="quiet" aria-label="Say">{t.close} it <b onclick={() => go(1)}>aloud</b></p>')).toEqual(['Say', 'it', 'aloud'])
})
