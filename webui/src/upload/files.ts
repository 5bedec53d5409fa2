// Files as people give them: dropped (with whole folders), pasted or picked.

import { t } from '../texts'

/** Files of a drop, read while they are asked for, so that a folder of any size can begin at once. */
export function dropped(transfer: DataTransfer): AsyncGenerator<File> {
  // the drop's data is gone after its event: what it holds is taken now, and read later
  const entries = [...transfer.items].filter((item) => item.kind === 'file').map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile())
  return read(entries)
}

async function* read(entries: (FileSystemEntry | File | null)[]): AsyncGenerator<File> {
  for (const entry of entries) {
    if (entry instanceof File) yield entry
    else if (entry) yield* walk(entry)
  }
}

async function* walk(entry: FileSystemEntry): AsyncGenerator<File> {
  if (isHidden(entry.name)) return
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject))
    const path = entry.fullPath.replace(/^\//, '')
    if (path.includes('/')) Object.defineProperty(file, 'webkitRelativePath', { value: path })
    yield file
    return
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
    if (!some.length) return
    for (const each of some) yield* walk(each)
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
