// Uploads that outlive the page. What is not sent yet is kept in the browser's database, with a copy of its bytes as far
// as there is room, so that it goes on by itself after a reload. What found no room is known by its name, and the file is
// asked for again.
//
//   noted -> copied -> forgotten      when it is sent, refused or cancelled
//        \-> left (the page went) -> claimed by a page that asks who is still there, and hears no answer

import { baseName, flag, type Left, mayHaveLeft, type Note, unflag } from './left'
import type { Entry } from './queue'

const DATABASE = 'imagomortis.uploads'
const [NOTES, FILES] = ['notes', 'files']
/** Bytes that copies may take. */
const ROOM = 512 * 2 ** 20
/** Milliseconds that an upload has to be over before a copy is worth its writing. */
const PATIENCE = 1000
/** Milliseconds in which another page tells that it is there. */
const ANSWER = 1000
/** Milliseconds after which nobody comes back for an upload. */
const EXPIRY = 7 * 24 * 3600 * 1000
/** Notes in one transaction. */
const MANY = 500

export class Keeper {
  readonly #me = randomName()
  #database: Promise<IDBDatabase> | undefined
  #channel = new BroadcastChannel(DATABASE)
  #fresh: Entry[] = []
  #gone: string[] = []
  #waiting: { entry: Entry; since: number }[] = []
  #copies = new Map<string, number>()
  #used = 0
  #room = ROOM
  #isRunning = false

  constructor() {
    this.#channel.addEventListener('message', ({ data }: MessageEvent<{ asks?: string }>) => {
      if (data.asks) this.#channel.postMessage({ is: this.#me })
    })
  }

  /** Keeps an upload until it is forgotten; one that was left keeps its key. */
  note(entry: Entry): void {
    if (!mayHaveLeft()) flag(false)
    if (!entry.key) {
      entry.key = randomName()
      this.#fresh.push(entry)
    }
    if (!this.#copies.has(entry.key)) this.#waiting.push({ entry, since: Date.now() })
    void this.#run()
  }

  forget(keys: string[]): void {
    this.#gone.push(...keys)
    void this.#run()
  }

  /** Takes over the uploads of pages that are gone, oldest first. */
  async claim(): Promise<Left[]> {
    const others = new Set<string>()
    const hear = ({ data }: MessageEvent<{ is?: string }>) => data.is && others.add(data.is)
    this.#channel.addEventListener('message', hear)
    this.#channel.postMessage({ asks: this.#me })
    await new Promise((resolve) => setTimeout(resolve, ANSWER))
    this.#channel.removeEventListener('message', hear)
    others.add(this.#me)
    // on a full disk nothing can be written, not even whose they are now; they are not lost for that
    const claimed = await this.#take(others, 'readwrite').catch(() => this.#take(others, 'readonly'))
    for (const { key, file, size } of claimed) if (file) this.#count(key, size)
    void this.#run() // which takes the flag away when there is nothing
    return claimed
  }

  /** In one transaction, so that of two pages only one gets an upload. */
  async #take(others: Set<string>, mode: 'readwrite' | 'readonly'): Promise<Left[]> {
    const transaction = (await this.#open()).transaction([NOTES, FILES], mode)
    const [claimed] = await Promise.all([this.#takeIn(transaction, others), end(transaction)])
    return claimed.sort((one, other) => one.at - other.at)
  }

  async #takeIn(transaction: IDBTransaction, others: Set<string>): Promise<Left[]> {
    const [notes, files] = [transaction.objectStore(NOTES), transaction.objectStore(FILES)]
    const claimed: Left[] = []
    for (const note of await answer<Note[]>(notes.getAll())) {
      if (others.has(note.owner)) continue
      if (note.at < Date.now() - EXPIRY) {
        this.#gone.push(note.key)
        continue
      }
      if (transaction.mode === 'readwrite') notes.put({ ...note, owner: this.#me })
      const copy = await answer<Blob | undefined>(files.get(note.key))
      claimed.push({ ...note, file: copy ? asFile(copy, note) : null })
    }
    return claimed
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return
    this.#isRunning = true
    try {
      while (await this.#step());
      this.#isRunning = false
      if (this.#fresh.length || this.#gone.length) void this.#run()
    } catch (error) {
      // it stays as it is: uploads go on without it, and a reload has to ask for their files
      console.warn('Uploads are not kept over a reload:', error)
    }
  }

  /** Does the most urgent thing, and tells whether there may be another one. */
  async #step(): Promise<boolean> {
    if (this.#fresh.length || this.#gone.length) return this.#write()
    const next = this.#waiting[0]
    if (!next) return this.#rest()
    const { entry, since } = next
    const pause = since + PATIENCE - Date.now()
    if (!entry.file || !entry.key || this.#copies.has(entry.key) || entry.size > this.#room) this.#waiting.shift()
    else if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause))
    else if (this.#used + entry.size > this.#room) return false
    else await this.#copy(this.#waiting.shift()!.entry)
    return true
  }

  async #write(): Promise<true> {
    const [fresh, gone] = [this.#fresh.splice(0, MANY), this.#gone.splice(0, MANY)]
    const transaction = (await this.#open()).transaction([NOTES, FILES], 'readwrite')
    const [notes, files] = [transaction.objectStore(NOTES), transaction.objectStore(FILES)]
    for (const entry of fresh) if (entry.file && entry.key) notes.put(this.#noteOf(entry, entry.file))
    for (const key of gone) {
      notes.delete(key)
      files.delete(key)
      this.#used -= this.#copies.get(key) ?? 0
      this.#copies.delete(key)
    }
    await end(transaction)
    return true
  }

  async #copy(entry: Entry): Promise<void> {
    const { key, file, size } = entry
    const transaction = (await this.#open()).transaction(FILES, 'readwrite')
    try {
      transaction.objectStore(FILES).put(file, key)
      await end(transaction)
      this.#count(key, size)
    } catch (error) {
      // no more room than that; anything else is the file's fault, which its upload will tell
      if ((error as DOMException | null)?.name === 'QuotaExceededError') this.#room = this.#used
    }
  }

  async #rest(): Promise<false> {
    const transaction = (await this.#open()).transaction(NOTES)
    if (!(await answer(transaction.objectStore(NOTES).count())) && !this.#fresh.length) unflag()
    return false
  }

  #count(key: string, size: number): void {
    this.#copies.set(key, size)
    this.#used += size
  }

  #noteOf({ key, name, size, recipe, anyway }: Entry, file: File): Note {
    return { key, owner: this.#me, name, size, modified: file.lastModified, recipe, anyway, at: Date.now() }
  }

  #open(): Promise<IDBDatabase> {
    return (this.#database ??= new Promise((resolve, reject) => {
      const asked = indexedDB.open(DATABASE, 1)
      asked.onupgradeneeded = () => {
        asked.result.createObjectStore(NOTES, { keyPath: 'key' })
        asked.result.createObjectStore(FILES)
      }
      asked.onsuccess = () => resolve(asked.result)
      asked.onerror = () => reject(asked.error)
    }))
  }
}

function asFile(copy: Blob, { name, modified }: Note): File {
  const file = new File([copy], baseName(name), { type: copy.type, lastModified: modified })
  if (name.includes('/')) Object.defineProperty(file, 'webkitRelativePath', { value: name })
  return file
}

/** Random, and there on plain http too. */
const randomName = (): string => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('-')

const answer = <T>(request: IDBRequest): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result as T)
    request.onerror = () => reject(request.error)
  })

const end = (transaction: IDBTransaction): Promise<void> =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onerror = transaction.onabort = () => reject(transaction.error)
  })
