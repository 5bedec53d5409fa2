// Files as people give them: dropped (with whole folders), pasted or picked.

import { t } from '../../words/texts'

/** Files of a drop, read while they are asked for, so that a folder of any size can begin at once. At its end `unread` hears
    what the browser could not read, if there was such. */
export function dropped(transfer: DataTransfer, unread: (paths: string[]) => void): AsyncGenerator<File> {
  // the drop's data is gone after its event: what it holds is taken now, and read later
  const entries = [...transfer.items].filter((item) => item.kind === 'file').map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile())
  return read(entries, unread)
}

async function* read(entries: (FileSystemEntry | File | null)[], unread: (paths: string[]) => void): AsyncGenerator<File> {
  const missed: string[] = []
  for (const entry of entries) {
    if (entry instanceof File) yield entry
    else if (entry) yield* walk(entry, missed)
  }
  if (missed.length) unread(missed)
}

/** What may not be read, or is gone by now, is noted in `missed`, and ends nothing. */
async function* walk(entry: FileSystemEntry, missed: string[]): AsyncGenerator<File> {
  if (isHidden(entry.name)) return
  const path = entry.fullPath.replace(/^\//, '')
  if (entry.isFile) {
    const file = await new Promise<File | null>((resolve) => (entry as FileSystemFileEntry).file(resolve, () => resolve(null)))
    if (!file) return void missed.push(path)
    if (path.includes('/')) Object.defineProperty(file, 'webkitRelativePath', { value: path })
    yield file
    return
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  for (;;) {
    const some = await new Promise<FileSystemEntry[] | null>((resolve) => reader.readEntries(resolve, () => resolve(null)))
    if (!some) return void missed.push(path)
    if (!some.length) return
    for (const each of some) yield* walk(each, missed)
  }
}

/** What systems leave in folders, and no person means. */
export const isHidden = (name: string): boolean => name.startsWith('.') || /^(thumbs\.db|desktop\.ini|__MACOSX)$/i.test(name)

/** A picked folder's files without what systems leave in it. */
export const visible = (files: Iterable<File>): File[] =>
  [...files].filter((file) => !(file.webkitRelativePath || file.name).split('/').some(isHidden))

const OTHERS = /\.(mp4|mov|mkv|avi|webm|mp3|wav|flac|zip|rar|7z|tar|gz|pdf|docx?|xlsx?|pptx?|txt|md|json|xml|html?|svg|exe|dmg|iso)$/i

/** Why a file cannot be a picture, as far as its name says; empty if it may be one. How large one may be, the server knows. */
export function objection(file: File): string {
  if (!file.size) return t.problems.empty
  if (OTHERS.test(file.name) || /^(video|audio|text)\//.test(file.type)) {
    return t.problems.notPicture
  }
  return ''
}

/** Why a chosen file cannot be read any more, such as one that was deleted or changed since; empty if it can. */
export function unreadable(file: File): Promise<string> {
  return file.slice(0, 1).arrayBuffer().then(
    () => '',
    () => t.problems.gone,
  )
}
