// Where Dagster's and Grafana's pages about something are.

/** The logs of a part, or of an image: Grafana's Explore on the lines in Loki, which have their part as a label. */
export function logs(grafana: string, about: { part?: string; image?: string }, since: Date | null = null): string {
  const label = about.part ? `part="${about.part}"` : 'part=~".+"'
  const expr = about.image ? `{${label}} |= "${about.image}"` : `{${label}}`
  const source = { type: 'loki', uid: 'loki' }
  const panes = {
    logs: {
      datasource: source.uid,
      queries: [{ refId: 'A', expr, datasource: source }],
      range: { from: since ? String(since.getTime()) : 'now-1h', to: 'now' },
    },
  }
  return `${root(grafana)}/explore?schemaVersion=1&orgId=1&panes=${encodeURIComponent(JSON.stringify(panes))}`
}

export const runs = (dagster: string): string => `${root(dagster)}/runs`

const root = (address: string): string => address.replace(/\/+$/, '')
