// Digests of files from a worker, and whether the server has pictures with them; many are asked for together.

import { api, data } from '../../api/client'

type Waiter = { resolve: (digest: string) => void; reject: (error: Error) => void }

const waiting = new Map<number, Waiter>()
let worker: Worker | undefined
let next = 1

/** SHA-256 of a file, in hexadecimal digits. */
export function digest(file: File): Promise<string> {
  worker ??= start()
  const id = next++
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject })
    worker?.postMessage({ id, file })
  })
}

function start(): Worker {
  const made = new Worker(new URL('./hash.worker.ts', import.meta.url), { type: 'module' })
  made.onmessage = ({ data: answer }: MessageEvent<{ id: number; digest?: string; problem?: string }>) => {
    const waiter = waiting.get(answer.id)
    waiting.delete(answer.id)
    if (answer.digest) waiter?.resolve(answer.digest)
    else waiter?.reject(new Error(answer.problem))
  }
  made.onerror = ({ message }) => {
    for (const waiter of waiting.values()) waiter.reject(new Error(message))
    waiting.clear()
    worker = undefined
  }
  return made
}

type Answer = Record<string, string>
let batch: { digests: Set<string>; answer: Promise<Answer> } | undefined

/** The images that have one of the digests. */
export function known(digests: string[]): Promise<Answer> {
  batch ??= open()
  for (const each of digests) batch.digests.add(each)
  return batch.answer
}

function open() {
  const digests = new Set<string>()
  const answer = new Promise((resolve) => setTimeout(resolve, 40)).then(() => {
    batch = undefined
    return data(api.POST('/digests', { body: { sha256: [...digests] } })) as Promise<Answer>
  })
  return { digests, answer }
}
