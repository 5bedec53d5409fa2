import { expect, it } from 'vitest'
import { momentOf } from '../words/format'
import { exportText } from './export'

const WHEN = '2026-12-01T10:00:00Z'
const waiting = { target: 's3://bucket/{stem}.{ext}', urls: [], exported_at: null, failed_attempts: 0, error: null, next_try_at: WHEN }

it('tells where and when a result was written', () => {
  const text = exportText({ ...waiting, urls: ['s3://bucket/a.jpg', 's3://bucket/b.jpg'], exported_at: WHEN, next_try_at: null })
  expect(text).toBe(`Written on ${momentOf(WHEN)}: s3://bucket/a.jpg, s3://bucket/b.jpg`)
})

it('tells what a result waits for', () => {
  expect(exportText(waiting)).toBe('Waiting to be written to s3://bucket/{stem}.{ext}')
})

it('tells why a result could not be written, and when it is tried again', () => {
  const text = exportText({ ...waiting, failed_attempts: 2, error: 'The storage refuses this.' })
  expect(text).toBe(`Failed 2 times: The storage refuses this. Next try on ${momentOf(WHEN)}.`)
})
