import { expect, it } from 'vitest'
import { causes } from './causes'
import { Outcomes } from './outcomes'

it('follows stored pictures until all are processed, also those that were quicker than the answer of their upload', () => {
  const outcomes = new Outcomes()
  outcomes.hear('early', 'done', 0)
  for (const id of ['early', 'late', 'bad']) outcomes.add(id)
  outcomes.hear('of another', 'failed', 0)
  expect(outcomes.at(0)).toEqual({ total: 3, done: 1, failed: 0, pending: 2, left: Infinity })
  expect(outcomes.pending(1)).toEqual(['late'])
  outcomes.hear('late', 'processing', 100)
  outcomes.hear('late', 'done', 200)
  outcomes.hear('bad', 'failed', 300)
  expect(outcomes.at(300)).toMatchObject({ done: 2, failed: 1, pending: 0, left: 0 })
  outcomes.hear('bad', 'queued', 400)
  expect(outcomes.at(400)).toMatchObject({ failed: 0, pending: 1 })
  outcomes.drop('bad')
  expect(outcomes.at(400)).toMatchObject({ total: 2, pending: 0 })
})

it('tells the time that is left from the pace of the last seconds', () => {
  const outcomes = new Outcomes()
  for (let number = 0; number < 100; number++) outcomes.add(String(number))
  for (let number = 0; number < 21; number++) outcomes.hear(String(number), 'done', number * 500)
  expect(outcomes.at(10_000).left).toBeCloseTo(79 / 2)
  expect(outcomes.at(60_000).left).toBe(Infinity)
})

it('groups what was refused by its cause, the most frequent first', () => {
  const refused = ['a', 'b', 'b', 'c', 'c', 'c'].map((why, number) => ({ why, name: `${number}.txt`, state: 'refused' as const }))
  const found = causes([...refused, { why: '', name: 'x', state: 'done' as const }], 2)
  expect(found.map(({ why, names }) => [why, names.length])).toEqual([['c', 3], ['b', 2]])
  expect(found[0]!.names).toEqual(['3.txt', '4.txt', '5.txt'])
})
