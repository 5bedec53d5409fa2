import { describe, expect, it } from 'vitest'
import { logs, runs } from './links'

const panesOf = (address: string) => JSON.parse(new URL(address).searchParams.get('panes')!)

describe('the links', () => {
  it("lead to an image's log lines, from its beginning on", () => {
    const { logs: pane } = panesOf(logs('http://grafana.example/', { image: 'some-id' }, new Date(1000)))
    expect(pane.queries[0].expr).toBe('{part=~".+"} |= "some-id"')
    expect(pane.range).toEqual({ from: '1000', to: 'now' })
  })

  it("lead to a part's log lines", () => {
    expect(panesOf(logs('http://example.org/grafana', { part: 'uploader' })).logs.queries[0].expr).toBe('{part="uploader"}')
    expect(logs('http://example.org/grafana/', {})).toMatch(/^http:\/\/example\.org\/grafana\/explore\?/)
  })

  it('lead to the runs, however the address ends', () => {
    expect(runs('http://dagster.example/')).toBe('http://dagster.example/runs')
  })
})
