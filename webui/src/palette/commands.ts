// Everything that the page can do, for the command palette.

import { router } from '../frame/route.svelte'
import { session } from '../frame/session.svelte'
import { signOut } from '../frame/sign-out'
import { theme, THEMES } from '../frame/theme.svelte'
import { size } from '../gallery/layout/size.svelte'
import { read, SORTS, STATES, write } from '../gallery/list/filter'
import { gallery } from '../gallery/list/gallery.svelte'
import { pause } from '../gallery/pause'
import { attempt, download, remove, retry, retryFailed, selection, star } from '../gallery/selection/selection.svelte'
import { t } from '../words/texts'
import { type Command, offered } from './offers'

/** What only the frame around the views can do. */
export interface Frame {
  choose(folder?: boolean): void
  showKeys(): void
}

/** The commands of the shown view, then those of every view. */
export function commands(frame: Frame): Command[] {
  const { view } = router.route
  return [...offered(), ...(view === 'pictures' ? [...chosen(), ...list()] : []), ...places(), ...uploading(frame), ...processing(), ...rest(frame)]
}

function chosen(): Command[] {
  const { ids } = selection
  if (gallery.filter.trash) return ids.length ? [{ name: t.trash.remove, icon: 'trash', keys: 'Delete', run: () => void remove(ids, true) }] : []
  if (!ids.length) return [{ name: t.selection.all, icon: 'check', keys: 'Ctrl A', run: () => void attempt(() => selection.all()) }]
  return [
    { name: t.editor.many(ids.length), icon: 'edit', run: () => router.go(`/pictures/${ids[0]}/edit`, false, ids.length > 1 ? ids : []) },
    { name: t.palette.download(ids.length), icon: 'download', run: () => download(ids) },
    { name: t.viewer.favourite, icon: 'star', run: () => void star(ids) },
    { name: t.palette.again(ids.length), icon: 'retry', run: () => void retry(ids) },
    { name: t.palette.remove(ids.length), icon: 'trash', keys: 'Delete', run: () => void remove(ids) },
    { name: t.selection.clear, icon: 'close', keys: 'Esc', run: () => selection.clear() },
  ]
}

function list(): Command[] {
  const filter = read(router.search)
  const show = (changes: Partial<typeof filter>) => () => router.go(write({ ...filter, ...changes }))
  return [
    ...STATES.filter((state) => state !== filter.state).map((state): Command => ({ name: t.palette.show(t.states[state]!), icon: 'filter', run: show({ state }) })),
    ...(filter.favourites ? [] : [{ name: t.palette.show(t.gallery.favourites), icon: 'star', run: show({ favourites: true }) } as const]),
    ...SORTS.filter((sort) => sort !== filter.sort).map((sort): Command => ({ name: `${t.gallery.sort}: ${t.gallery.sorts[sort]}`, icon: 'down', run: show({ sort }) })),
    { name: size.isList ? t.gallery.asGrid : t.gallery.asList, icon: size.isList ? 'pictures' : 'list', run: () => size.list(!size.isList) },
    ...(gallery.isUnfiltered ? [] : [{ name: t.gallery.reset, icon: 'close', run: () => router.go('/') } as const]),
  ]
}

const places = (): Command[] => [
  { name: t.nav.pictures, icon: 'pictures', run: () => router.go('/') },
  { name: t.nav.overview, icon: 'overview', run: () => router.go('/overview') },
  ...(gallery.stats?.trash.days ? [{ name: t.trash.title, icon: 'trash', run: () => router.go('/?trash=true') } as const] : []),
]

const uploading = ({ choose }: Frame): Command[] => [
  { name: t.nav.upload, icon: 'upload', run: () => choose() },
  { name: t.nav.uploadFolder, icon: 'folder', run: () => choose(true) },
]

function processing(): Command[] {
  const { stats } = gallery
  if (!stats) return []
  const failed = stats.images.failed
  return [
    stats.paused
      ? { name: t.overview.resume, icon: 'play', run: () => void pause(false) }
      : { name: t.overview.pause, icon: 'pause', run: () => void pause(true) },
    ...(failed ? [{ name: t.gallery.retryFailed(failed), icon: 'retry', run: () => void retryFailed() } as const] : []),
  ]
}

function rest({ showKeys }: Frame): Command[] {
  const links = Object.entries(gallery.stats?.links ?? {})
  return [
    ...THEMES.filter((each) => each !== theme.chosen).map((each): Command => ({
      name: `${t.nav.theme}: ${t.nav.themes[each]}`,
      icon: each === 'dark' ? 'moon' : 'sun',
      run: () => theme.choose(each),
    })),
    ...links.map(([name, address]): Command => ({ name: t.nav.tools[name] ?? name, icon: 'link', run: () => void open(address, '_blank', 'noreferrer') })),
    { name: t.nav.keys, icon: 'key', keys: '?', run: showKeys },
    ...(session.needsToken ? [{ name: t.nav.signOut, icon: 'close', run: signOut } as const] : []),
  ]
}
