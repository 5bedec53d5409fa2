// Which pictures the gallery shows, as it stands in the address.

import type { Image, State } from '../../api/client'

export const SORTS = ['newest', 'oldest', 'name', '-name', '-size', 'size'] as const
export type Sort = (typeof SORTS)[number]

export interface Filter {
  state: State | null
  name: string
  recipe: string
  /** Days, as a date field has them; the last one is included. */
  from: string
  to: string
  favourites: boolean
  /** The deleted pictures instead of the others. */
  trash: boolean
  sort: Sort
}

export const EVERYTHING: Filter = { state: null, name: '', recipe: '', from: '', to: '', favourites: false, trash: false, sort: 'newest' }
export const STATES: readonly State[] = ['queued', 'processing', 'done', 'failed']

const isDay = (text: string): boolean => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text))

export function read(search: string): Filter {
  const given = new URLSearchParams(search)
  const day = (name: string) => (isDay(given.get(name) ?? '') ? given.get(name)! : '')
  const state = given.get('state') as State
  return {
    state: STATES.includes(state) ? state : null,
    name: given.get('name') ?? '',
    recipe: given.get('recipe') ?? '',
    from: day('from'),
    to: day('to'),
    favourites: given.get('favourites') === 'true',
    trash: given.get('trash') === 'true',
    sort: SORTS.find((sort) => sort === given.get('sort')) ?? 'newest',
  }
}

export function write(filter: Filter): string {
  const said = new URLSearchParams()
  for (const name of ['state', 'name', 'recipe', 'from', 'to'] as const) if (filter[name]) said.set(name, filter[name])
  for (const name of ['favourites', 'trash'] as const) if (filter[name]) said.set(name, 'true')
  if (filter.sort !== 'newest') said.set('sort', filter.sort)
  return said.size ? `/?${said}` : '/'
}

/** Midnight, here, at the beginning of a day, or of the one after it. */
function midnight(day: string, later = 0): string {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number)
  return new Date(year, month - 1, date + later).toISOString()
}

interface Query {
  state?: State[]
  name?: string
  recipe?: string
  since?: string
  until?: string
  favourites?: true
  trash?: true
  sort?: '-name' | '-size'
}

/** The same for the API. */
export function query(filter: Filter): Query {
  const [sort, end] = [orderOf(filter), until(filter)]
  return {
    ...(sort && { sort }),
    ...(end && { until: end }),
    ...(filter.state && { state: [filter.state] }),
    ...(filter.name && { name: filter.name }),
    ...(filter.recipe && { recipe: filter.recipe }),
    ...(filter.from && { since: midnight(filter.from) }),
    ...(filter.favourites && { favourites: true as const }),
    ...(filter.trash && { trash: true as const }),
  }
}

export const until = (filter: Filter): string | undefined => (filter.to ? midnight(filter.to, 1) : undefined)

/** Whether the shown list is that of the API from its end. */
export const isReversed = ({ sort }: Filter): boolean => sort === 'oldest' || sort === 'name' || sort === 'size'

/** The order of the API's list: by time, or from the last name or size. */
export function orderOf({ sort }: Filter): '-name' | '-size' | undefined {
  if (sort === 'name' || sort === '-name') return '-name'
  return sort === 'size' || sort === '-size' ? '-size' : undefined
}

/** What names the API's list, whichever way it is shown. */
export const listOf = (filter: Filter): string => write({ ...filter, sort: orderOf(filter) ?? 'newest' })

export const isEverything = (filter: Filter): boolean => write({ ...filter, sort: 'newest' }) === '/'

/** Whether an image that has just changed belongs to what is shown. The server tells of those in the trash only that they are deleted. */
export function belongs(filter: Filter, image: Image): boolean {
  if (filter.trash) return false
  if (filter.state && image.state !== filter.state) return false
  if (filter.name && !image.filename.toLowerCase().includes(filter.name.toLowerCase())) return false
  if (filter.recipe && filter.recipe !== image.recipe_name && filter.recipe !== image.recipe_digest) return false
  if (filter.favourites && !image.favourite) return false
  const created = Date.parse(image.created_at)
  if (filter.from && created < Date.parse(midnight(filter.from))) return false
  return !(filter.to && created >= Date.parse(midnight(filter.to, 1)))
}
