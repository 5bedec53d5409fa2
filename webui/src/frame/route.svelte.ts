// Which view the address names, and how to get to another one.

export type Route =
  | { view: 'pictures' }
  | { view: 'picture'; id: string }
  | { view: 'edit'; ids: string[] }
  | { view: 'overview' }
  | { view: 'unknown' }

const ID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
const PICTURE = new RegExp(`^/pictures/(${ID})(/edit)?$`)

/** Reads a path such as /pictures/<id>/edit. */
export function parse(path: string): Route {
  if (path === '/') return { view: 'pictures' }
  if (path === '/overview') return { view: 'overview' }
  const [, id, edit] = PICTURE.exec(path) ?? []
  if (!id) return { view: 'unknown' }
  return edit ? { view: 'edit', ids: [id] } : { view: 'picture', id }
}

/** What the browser's history keeps of an entry. */
interface Entry {
  /** How many of our own entries lie behind it. */
  depth?: number
  batch?: string[]
}

const entry = (): Entry => (history.state as Entry | null) ?? {}

/** Says whether a view may be left at once; otherwise it asks a person, and goes once that is wanted. */
type Guard = (go: () => void) => boolean

class Router {
  path = $state(location.pathname)
  search = $state(location.search)
  route = $derived(parse(this.path))
  /** The pictures that are edited together, of which the address names the first; it outlives a reload. */
  batch = $state.raw<string[]>(entry().batch ?? [])
  /** Whether the browser's Back or Forward led here. */
  isReturn = false
  #depth = entry().depth ?? 0
  #isLeaving = false
  #guard: Guard | null = null
  /** When the view or the shown picture changed last, in milliseconds since the page was opened. */
  changedAt = -Infinity

  constructor() {
    addEventListener('popstate', () => {
      this.#isLeaving = false
      const way = (entry().depth ?? 0) - this.#depth
      if (way && !this.#mayLeave(() => history.go(way))) return history.go(-way)
      this.#depth += way
      this.isReturn = true
      this.#read()
    })
  }

  go(to: string, replace = false, batch: string[] = []): void {
    if (to === location.pathname + location.search || !this.#mayLeave(() => this.go(to, replace, batch))) return
    if (!replace) this.#depth++
    const made: Entry = { depth: this.#depth, ...(batch.length && { batch }) }
    history[replace ? 'replaceState' : 'pushState'](made, '', to)
    this.isReturn = false
    this.#read()
  }

  /** Back to where the person came from, or to `otherwise` where that was another site. */
  back(otherwise = '/'): void {
    if (this.#isLeaving || !this.#mayLeave(() => this.back(otherwise))) return // asked twice before it happened, it would lead one view too far
    this.#isLeaving = this.#depth > 0
    if (this.#isLeaving) history.back()
    else this.go(otherwise, true)
  }

  /** Lets a view be asked before it is left; returns what ends that. */
  guard(guard: Guard): () => void {
    this.#guard = guard
    return () => (this.#guard = null)
  }

  #mayLeave(go: () => void): boolean {
    return this.#guard?.(go) ?? true
  }

  #read(): void {
    if (parse(location.pathname).view !== this.route.view) this.changedAt = performance.now()
    this.path = location.pathname
    this.search = location.search
    this.batch = entry().batch ?? []
  }
}

export const router = new Router()

/** Lets links of the page change the view without loading it anew; for use as `onclick`. */
export function follow(event: MouseEvent): void {
  const link = (event.target as Element).closest('a')
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return
  if (link.origin !== location.origin || link.target || link.hasAttribute('download')) return
  if (link.pathname.startsWith('/api/') || link.getAttribute('href')?.startsWith('#')) return
  event.preventDefault()
  router.go(link.pathname + link.search)
}
