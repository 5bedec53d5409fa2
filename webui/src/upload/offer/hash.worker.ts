// Hashes files beside the page, a piece at a time.

import { createSHA256, type IHasher } from 'hash-wasm'

const PIECE = 4 * 1024 * 1024
let hasher: Promise<IHasher> | undefined

addEventListener('message', async ({ data: { id, file } }: MessageEvent<{ id: number; file: File }>) => {
  try {
    postMessage({ id, digest: await digest(file) })
  } catch (error) {
    postMessage({ id, problem: String(error) })
  }
})

let turn: Promise<unknown> = Promise.resolve()

/** One file after the other: there is one hasher. */
function digest(file: File): Promise<string> {
  const mine = turn.then(async () => {
    const sha = await (hasher ??= createSHA256())
    sha.init()
    for (let start = 0; start < file.size; start += PIECE) {
      sha.update(new Uint8Array(await file.slice(start, start + PIECE).arrayBuffer()))
    }
    return sha.digest('hex')
  })
  turn = mine.catch(() => undefined)
  return mine
}
