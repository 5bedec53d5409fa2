import { expect, it } from 'vitest'
import { Peek } from './peek'

const files = (names: string) => [...names].map((name) => new File([], name))
async function* coming(names: string) {
  yield* files(names)
}
async function all(peek: AsyncIterable<File>): Promise<string> {
  let found = ''
  for await (const file of peek) found += file.name
  return found
}
const names = (found: File[]) => found.map((file) => file.name).join('')

it.each([['an array', files], ['a folder that is read while it is walked', coming]])('shows the first of %s, and gives all of them once', async (_, source) => {
  const peek = new Peek(source('abcde'))
  expect(names(await peek.first(2))).toBe('ab')
  expect(names(await peek.first(3))).toBe('abc')
  expect(await all(peek)).toBe('abcde')
})

it('shows fewer where there are no more, and gives them while it is looked at', async () => {
  const peek = new Peek(coming('ab'))
  const looking = peek.first(9)
  expect(await all(peek)).toBe('ab')
  expect(names(await looking)).toBe('ab')
})

it('tells what could not be read to whoever takes the files', async () => {
  const peek = new Peek(
    (async function* () {
      yield* files('a')
      throw new Error('gone')
    })(),
  )
  expect(names(await peek.first(2))).toBe('a')
  await expect(all(peek)).rejects.toThrow('gone')
})
