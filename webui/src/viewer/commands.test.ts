import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import type { ImageInfo } from '../api/client'
import { commands } from './commands'

const info = { id: '0d9b5a52-8a43-4c39-9c3c-0f3c51a0c7de', recipe_name: null, recipe: { steps: [{ transform: 'watermark', text: "it's $HOME" }] } } as unknown as ImageInfo

/** The words that a shell makes of a line. */
const words = (line: string) => execFileSync('sh', ['-c', line.replace(/^curl/, "printf '%s\\n'")], { encoding: 'utf8', env: { ...process.env, IMAGOMORTIS_TOKEN: 'secret' } }).trim().split('\n')

it('a shell reads each line as it is meant, whatever letters the recipe has', () => {
  const lines = commands(info, 'https://pictures.test', true).curl!.split('\n')
  expect(words(lines[0]!)).toEqual(['-H', 'Authorization: Bearer secret', '-OJ', 'https://pictures.test/api/images/0d9b5a52-8a43-4c39-9c3c-0f3c51a0c7de?download=true'])
  expect(JSON.parse(words(lines[3]!).at(-1)!)).toEqual({ recipe: info.recipe })
})

it('no token is asked for where none is needed', () => {
  const { curl, json } = commands(info, 'https://pictures.test', false)
  expect(curl).not.toContain('TOKEN')
  expect(JSON.parse(json!)).toEqual(info)
})
