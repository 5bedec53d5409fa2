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

class Router {
  path = $state(location.pathname)
  search = $state(location.search)
  route = $derived(parse(this.path))
  /** How many of our own entries lie behind this one in the browser's history. */
  #depth = (history.state as { depth?: number } | null)?.depth ?? 0
  #isLeaving = false
  /** When the view or the shown picture changed last, in milliseconds since the page was opened. */
  changedAt = -Infinity

  constructor() {
    addEventListener('popstate', (event) => {
      this.#isLeaving = false
      this.#depth = (event.state as { depth?: number } | null)?.depth ?? 0
      this.#read()
    })
  }

  go(to: string, replace = false): void {
    if (to === location.pathname + location.search) return
    if (!replace) this.#depth++
    history[replace ? 'replaceState' : 'pushState']({ depth: this.#depth }, '', to)
    this.#read()
  }

  /** Back to where the person came from, or to `otherwise` where that was another site. */
  back(otherwise = '/'): void {
    if (this.#isLeaving) return // asked twice before it happened, it would lead one view too far
    this.#isLeaving = this.#depth > 0
    if (this.#isLeaving) history.back()
    else this.go(otherwise, true)
  }

  #read(): void {
    if (parse(location.pathname).view !== this.route.view) this.changedAt = performance.now()
    this.path = location.pathname
    this.search = location.search
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
