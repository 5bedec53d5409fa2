// The pictures that are marked, and what can be done with all of them.

import { api, data, Problem, type Recipe, textOf } from '../../api/client'
import { plural } from '../../words/format'
import { notices } from '../../frame/notices.svelte'
import { t } from '../../words/texts'
import { gallery } from '../list/gallery.svelte'

/** Ids that the API takes in one request. */
const MOST = 10_000
/** Ids that a link holds: some proxies refuse one of more than 8 KB. */
const IN_A_LINK = 180

class Selection {
  #ids = new Set<string>()
  #anchor = 0
  version = $state(0)

  has(id: string): boolean {
    void this.version
    return this.#ids.has(id)
  }

  get size(): number {
    void this.version
    return this.#ids.size
  }

  get ids(): string[] {
    return [...this.#ids]
  }

  toggle(id: string, index: number): void {
    if (!this.#ids.delete(id)) this.#ids.add(id)
    this.#anchor = index
    this.#changed()
  }

  only(ids: string[]): void {
    this.#ids = new Set(ids)
    this.#changed()
  }

  /** Marks everything from the last one that was touched to this one. */
  async extend(index: number): Promise<void> {
    for (const id of await gallery.ids(this.#anchor, index)) this.#ids.add(id)
    this.#changed()
  }

  async all(): Promise<void> {
    this.only(await gallery.ids(0, gallery.size - 1))
  }

  clear(): void {
    this.#ids.clear()
    this.#changed()
  }

  drop(id: string): void {
    if (this.#ids.delete(id)) this.#changed()
  }

  #changed(): void {
    this.version++
    notices.say(this.#ids.size ? t.selection.count(this.#ids.size) : t.selection.none)
  }
}

export const selection = new Selection()

/** Deletes pictures at once, or with `permanently` those in the trash. For half a minute that can be undone. */
export async function remove(ids: string[], permanently = false): Promise<void> {
  const hasTrash = !!gallery.stats?.trash.days
  const tell = permanently || !hasTrash ? t.selection.deleted : t.trash.put
  const undo = permanently && hasTrash ? putBack : restore
  gallery.hide(ids)
  for (const id of ids) selection.drop(id)
  const [asked, deleted]: [string[], string[]] = [[], []]
  try {
    for (const some of slices(ids)) {
      asked.push(...some)
      deleted.push(...(await data(api.POST('/images/delete', { body: deletion(some, permanently) }))).deleted)
    }
    notices.show(tell(deleted.length), {
      seconds: 30,
      action: { label: t.undo, run: () => undo(deleted) },
    })
  } catch (error) {
    // of the last request only the answer may have been lost
    notices.show(deleted.length ? `${textOf(error)} ${tell(deleted.length)}` : textOf(error), {
      tone: 'alarm',
      seconds: 30,
      action: { label: t.undo, run: () => undo(asked, deleted.length) },
    })
    void gallery.reload(true)
  }
}

/** Brings pictures back, of which at least so many were deleted. */
export async function restore(ids: string[], least = ids.length): Promise<void> {
  await attempt(async () => {
    let restored = 0
    for (const some of slices(ids)) restored += (await data(api.POST('/images/restore', { body: { ids: some } }))).count
    notices.show(t.selection.restored(restored, Math.max(restored, least)))
    await gallery.reload(true)
  })
}

/** Puts pictures into the trash again that were deleted from there. */
async function putBack(ids: string[]): Promise<void> {
  await attempt(async () => {
    let put = 0
    for (const some of slices(ids)) {
      await data(api.POST('/images/restore', { body: { ids: some } }))
      put += (await data(api.POST('/images/delete', { body: deletion(some) }))).deleted.length
    }
    notices.show(t.trash.put(put))
    await gallery.reload(true)
  })
}

/** What to delete. A server of the former version knows no `permanently`, so it is left out if it is false. */
const deletion = (ids: string[], permanently = false) => ({ ids, ...(permanently && { permanently }) }) as { ids: string[]; permanently: boolean }

type Edit = { ids: string[]; recipe: Recipe | string }

/** Gives pictures other recipes, with a way back for half a minute. */
export async function edit(edits: Edit[], tell: (changed: number) => string = t.editor.applied): Promise<void> {
  let changed = 0
  const former: Edit[] = []
  for (const body of edits) {
    const answer = await data(api.PATCH('/images', { body }))
    changed += answer.changed.length
    former.push(...(answer.former as unknown as Edit[]))
  }
  const back = { label: t.undo, run: () => void attempt(() => edit(former, t.editor.undone)) }
  const isWhole = former.reduce((sum, each) => sum + each.ids.length, 0) === changed
  const missing = edits.reduce((sum, each) => sum + each.ids.length, 0) - changed
  if (!changed) return void notices.show(t.editor.missing(missing), { tone: 'alarm' })
  const told = missing ? `${tell(changed)} ${t.editor.missing(missing)}` : tell(changed)
  notices.show(told, isWhole ? { seconds: 30, action: back } : {})
}

/** Gives pictures a star, or takes it away from all of them if each has one. */
export async function star(ids: string[]): Promise<void> {
  const favourite = !ids.every((id) => gallery.find(id)?.favourite)
  await attempt(async () => {
    let marked = 0
    for (const some of slices(ids)) marked += (await data(api.POST('/images/favourites', { body: { ids: some, favourite } }))).marked.length
    notices.show(t.selection.starred(marked, favourite))
  })
}

/** Processes pictures again as they are. */
export async function retry(ids: string[]): Promise<void> {
  await attempt(async () => {
    let retried = 0
    for (const some of slices(ids)) retried += (await data(api.POST('/images/retry', { body: { ids: some } }))).retried
    notices.show(t.selection.retried(retried))
  })
}

export async function retryFailed(): Promise<void> {
  await attempt(async () => {
    const { retried } = await data(api.POST('/retry'))
    notices.show(t.selection.retried(retried))
  })
}

/** Saves pictures as files: one as it is, several in a zip file. */
export function download(ids: string[], kind?: 'original'): void {
  if (ids.length === 1) return save(`/api/images/${ids[0]}?download=true${kind ? `&kind=${kind}` : ''}`)
  notices.show(t.selection.zip(plural(ids.length, 'picture')))
  if (ids.length > IN_A_LINK) return void attempt(() => downloadMany(ids, kind))
  const query = new URLSearchParams(ids.map((id) => ['ids', id]))
  if (kind) query.set('kind', kind)
  save(`/api/images/zip?${query}`)
}

/** More than a link can name: the browser keeps the file aside until it is whole. */
async function downloadMany(ids: string[], kind?: 'original'): Promise<void> {
  const parts = slices(ids)
  for (const [number, part] of parts.entries()) {
    const answer = await api.POST('/images/zip', { body: { ids: part, ...(kind && { kind }) }, parseAs: 'blob' })
    const address = URL.createObjectURL(answer.data as unknown as Blob)
    save(address, parts.length > 1 ? `imagomortis-${number + 1}.zip` : 'imagomortis.zip')
    setTimeout(() => URL.revokeObjectURL(address), 60_000)
  }
}

/** Tells what went wrong; that the server was away only until it is back. */
export function alarm(error: unknown): void {
  const isAway = error instanceof Problem && !error.status
  notices.show(textOf(error), { tone: 'alarm', ...(isAway && { about: 'connection' }) })
}

export async function attempt(action: () => Promise<void>): Promise<boolean> {
  try {
    await action()
    return true
  } catch (error) {
    alarm(error)
    return false
  }
}

export function slices(ids: string[], most = MOST): string[][] {
  const found: string[][] = []
  for (let start = 0; start < ids.length; start += most) found.push(ids.slice(start, start + most))
  return found
}

function save(address: string, name = ''): void {
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
}
