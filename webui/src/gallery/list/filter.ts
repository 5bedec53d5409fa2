// Which pictures the gallery shows, as it stands in the address.

import type { Image, State } from '../../api/client'

export interface Filter {
  state: State | null
  name: string
  recipe: string
  /** Days, as a date field has them; the last one is included. */
  from: string
  to: string
  favourites: boolean
  oldestFirst: boolean
}

export const EVERYTHING: Filter = { state: null, name: '', recipe: '', from: '', to: '', favourites: false, oldestFirst: false }
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
    oldestFirst: given.get('sort') === 'oldest',
  }
}

export function write(filter: Filter): string {
  const said = new URLSearchParams()
  for (const name of ['state', 'name', 'recipe', 'from', 'to'] as const) if (filter[name]) said.set(name, filter[name])
  if (filter.favourites) said.set('favourites', 'true')
  if (filter.oldestFirst) said.set('sort', 'oldest')
  return said.size ? `/?${said}` : '/'
}

/** Midnight, here, at the beginning of a day, or of the one after it. */
function midnight(day: string, later = 0): string {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number)
  return new Date(year, month - 1, date + later).toISOString()
}

/** The same for the API, as far as GET /images knows it. */
export function query(filter: Filter): { state?: State[]; name?: string; recipe?: string; since?: string; favourites?: true } {
  return {
    ...(filter.state && { state: [filter.state] }),
    ...(filter.name && { name: filter.name }),
    ...(filter.recipe && { recipe: filter.recipe }),
    ...(filter.from && { since: midnight(filter.from) }),
    ...(filter.favourites && { favourites: true as const }),
  }
}

export const until = (filter: Filter): string | undefined => (filter.to ? midnight(filter.to, 1) : undefined)

export const isEverything = (filter: Filter): boolean => write({ ...filter, oldestFirst: false }) === '/'

/** Whether an image that has just changed belongs to what is shown. */
export function belongs(filter: Filter, image: Image): boolean {
  if (filter.state && image.state !== filter.state) return false
  if (filter.name && !image.filename.toLowerCase().includes(filter.name.toLowerCase())) return false
  if (filter.recipe && filter.recipe !== image.recipe_name && filter.recipe !== image.recipe_digest) return false
  if (filter.favourites && !image.favourite) return false
  const created = Date.parse(image.created_at)
  if (filter.from && created < Date.parse(midnight(filter.from))) return false
  return !(filter.to && created >= Date.parse(midnight(filter.to, 1)))
}
