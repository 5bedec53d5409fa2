// Small pictures of files that were chosen here, for as long as the server has none of them.

/** Pixels of the shorter side. */
const SIDE = 320
/** Small pictures that are kept in memory, each of some 30 KB. */
const MOST = 300
/** Files that are decoded at a time. */
const AT_ONCE = 2

type Drawn = Promise<string>

const drawn = new Map<File, Drawn>()
const waiting: (() => void)[] = []
let running = 0

/** Returns the address of a small picture of a file; empty if the browser cannot draw it. */
export function smallOf(file: File): Drawn {
  const found = drawn.get(file) ?? queued(() => draw(file))
  drawn.delete(file) // what was asked for last is the last to be forgotten
  drawn.set(file, found)
  forget()
  return found
}

function forget(): void {
  for (const [file, address] of drawn) {
    if (drawn.size <= MOST) return
    drawn.delete(file)
    void address.then((found) => URL.revokeObjectURL(found))
  }
}

async function queued(work: () => Drawn): Drawn {
  if (running >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve))
  running++
  try {
    return await work()
  } finally {
    running--
    waiting.shift()?.()
  }
}

async function draw(file: File): Drawn {
  try {
    const whole = await createImageBitmap(file)
    const scale = Math.min(1, SIDE / Math.min(whole.width, whole.height))
    const canvas = new OffscreenCanvas(Math.max(1, Math.round(whole.width * scale)), Math.max(1, Math.round(whole.height * scale)))
    canvas.getContext('2d')?.drawImage(whole, 0, 0, canvas.width, canvas.height)
    whole.close()
    return URL.createObjectURL(await canvas.convertToBlob({ type: 'image/webp', quality: 0.8 }))
  } catch {
    return '' // of a kind that this browser does not know, or broken
  }
}
