import { describe, expect, it } from 'vitest'
import { Away, type Entry, Lost, Queue, Refused, type Services, type Transport } from './queue'

const file = (name: string, size = 100): File => ({ name, size, webkitRelativePath: '' }) as File

class World {
  clock = 0
  isThere = true
  inFlight = 0
  most = 0
  sent: string[] = []
  forgotten: number[] = []
  kept = new Set<string>()
  knownDigests: Record<string, string> = {}
  gone = new Set<string>()
  found: string[] = []
  transportArrives = Promise.resolve()
  send: (entry: Entry, signal: AbortSignal) => Promise<string> = async (entry) => `image of ${entry.name}`
  readonly queue: Queue

  constructor() {
    const transport: Transport = {
      send: async (entry, progress, signal) => {
        this.inFlight++
        this.most = Math.max(this.most, this.inFlight)
        try {
          await this.breathe()
          progress(entry.size / 2)
          const image = await this.send(entry, signal)
          this.sent.push(entry.name)
          return image
        } finally {
          this.inFlight--
        }
      },
      forget: (id) => this.forgotten.push(id),
    }
    const services: Services = {
      transport: () => this.transportArrives.then(() => transport),
      digest: async (given) => {
        if (this.gone.has(given.name)) throw new Error('NotFoundError')
        return `digest of ${given.name}`
      },
      known: async (digests) => Object.fromEntries(digests.flatMap((each) => (this.knownDigests[each] ? [[each, this.knownDigests[each]]] : []))),
      isThere: async () => this.isThere,
      objection: (given) => (given.size > 1000 ? 'too large' : ''),
      unreadable: async (given) => (this.gone.has(given.name) ? 'It is gone.' : ''),
      entered: (entry) => this.kept.add(entry.name),
      found: (entry) => this.found.push(entry.image),
      left: (entry) => this.kept.delete(entry.name),
      changed: () => {},
      now: () => this.clock,
      sleep: async (milliseconds) => {
        this.clock += milliseconds
        await this.breathe()
      },
    }
    this.queue = new Queue(services)
  }

  breathe = () => new Promise<void>((resolve) => setTimeout(resolve, 0))

  async until(condition: () => boolean): Promise<void> {
    for (let turn = 0; turn < 2000; turn++) {
      if (condition()) return
      await this.breathe()
    }
    throw new Error('it never came to that')
  }
}

/** A promise, and what keeps it. */
function gate(): [passed: Promise<void>, open: () => void] {
  let open = () => {}
  return [new Promise<void>((resolve) => (open = resolve)), () => open()]
}

const files = (count: number) => Array.from({ length: count }, (_, index) => file(`${index}.jpg`))

describe('the upload queue', () => {
  it('sends everything, a few at a time', async () => {
    const world = new World()
    await world.queue.add(files(50), 'circles')
    await world.until(() => world.queue.counts.done === 50)
    expect(world.most).toBe(3)
    expect(world.queue.open).toBe(0)
    expect(world.queue.sentBytes).toBe(world.queue.totalBytes)
    expect(world.queue.entries.every((entry) => entry.file === null)).toBe(true)
  })

  it('keeps the reason beside a refused file and goes on with the others', async () => {
    const world = new World()
    world.send = async (entry) => {
      if (entry.name === '2.jpg') throw new Refused('It is cut off.')
      return 'image'
    }
    await world.queue.add(files(5), 'circles')
    await world.until(() => world.queue.open === 0)
    expect(world.queue.counts).toMatchObject({ done: 4, refused: 1 })
    expect(world.queue.entries[2]).toMatchObject({ state: 'refused', why: 'It is cut off.' })
    expect([world.queue.totalBytes, world.queue.sentBytes, world.queue.total]).toEqual([500, 500, 5]) // the whole does not shrink
  })

  it('sends what came before a fault of the source', async () => {
    const world = new World()
    const broken = async function* () {
      yield* files(5)
      throw new Error('The folder is gone.')
    }
    await expect(world.queue.add(broken(), 'circles')).rejects.toThrow('The folder is gone.')
    await world.until(() => world.queue.counts.done === 5)
  })

  it('refuses at once what cannot be a picture', async () => {
    const world = new World()
    await world.queue.add([file('film.mkv', 5000)], 'circles')
    expect(world.queue.entries[0]).toMatchObject({ state: 'refused', why: 'too large' })
    expect(world.queue.totalBytes).toBe(0)
  })

  it('holds back what is there already, and sends it all the same when told to', async () => {
    const world = new World()
    world.knownDigests['digest of 1.jpg'] = 'the other image'
    await world.queue.add(files(3), 'circles')
    await world.until(() => world.queue.open === 0)
    expect(world.queue.entries[1]).toMatchObject({ state: 'known', image: 'the other image' })
    expect(world.sent).not.toContain('1.jpg')
    expect(world.found).toEqual(['the other image'])
    expect([world.queue.totalBytes, world.queue.sentBytes]).toEqual([300, 300])
    world.queue.againAll('known')
    await world.until(() => world.queue.counts.done === 3)
    expect(world.queue.totalBytes).toBe(300)
  })

  it('waits while the server is away and then goes on by itself', async () => {
    const world = new World()
    world.send = async (entry) => {
      if (!world.isThere) throw new Lost('no connection')
      return entry.name
    }
    world.isThere = false
    await world.queue.add(files(10), 'circles')
    await world.until(() => world.queue.stalled !== '')
    expect(world.queue.counts.refused).toBe(0)
    world.isThere = true
    await world.until(() => world.queue.counts.done === 10)
    expect(world.queue.stalled).toBe('')
  })

  it('refuses files that cannot be read any more, and sends the others', async () => {
    const world = new World()
    for (let number = 0; number < 20; number++) world.gone.add(`${number}.jpg`)
    await world.queue.add(files(40), 'circles')
    await world.until(() => world.queue.open === 0)
    expect(world.queue.counts).toMatchObject({ done: 20, refused: 20 })
    expect(world.queue.entries.find((entry) => entry.name === '0.jpg')).toMatchObject({ state: 'refused', why: 'It is gone.' })
    expect(world.clock).toBe(0)
    world.gone.clear()
    world.queue.againAll('refused')
    await world.until(() => world.queue.counts.done === 40)
  })

  it('refuses a file that goes away while it is sent', async () => {
    const world = new World()
    world.send = async (entry) => {
      if (entry.name !== '1.jpg') return 'image'
      world.gone.add(entry.name)
      throw new Lost('no connection')
    }
    await world.queue.add(files(3), 'circles')
    await world.until(() => world.queue.open === 0)
    expect(world.queue.entries.find((entry) => entry.state === 'refused')).toMatchObject({ name: '1.jpg', why: 'It is gone.' })
    expect(world.queue.stalled).toBe('')
  })

  it('refuses a file in the end that the server never takes, behind the others, and tries it again when told to', async () => {
    const world = new World()
    let [tries, isBad] = [0, true]
    world.send = async (entry) => {
      if (entry.name === '0.jpg' && isBad) {
        tries++
        throw new Lost('The server has a fault.')
      }
      expect(world.queue.stalled).toBe('')
      return 'image'
    }
    await world.queue.add(files(50), 'circles')
    await world.until(() => world.queue.open === 0)
    expect(world.queue.counts).toMatchObject({ done: 49, refused: 1 })
    expect(world.queue.entries.at(-1)).toMatchObject({ name: '0.jpg', why: 'The server has a fault.' })
    expect(tries).toBe(3)
    isBad = false
    world.queue.againAll('refused')
    await world.until(() => world.queue.counts.done === 50)
  })

  it('never refuses a file that comes further each time, or any while the server takes none', async () => {
    const world = new World()
    let tries = 0
    world.send = async (entry) => {
      tries++
      if (tries > 9) return 'image'
      if (tries > 5) throw new Away('The disk is busy.')
      entry.sent = entry.size / 2 + tries
      throw new Lost('no connection')
    }
    await world.queue.add(files(1), 'circles')
    await world.until(() => world.queue.stalled === 'The disk is busy.')
    await world.until(() => world.queue.counts.done === 1)
    expect(tries).toBe(10)
  })

  it('begins while a large folder is still read', async () => {
    const world = new World()
    let read = 0
    const folder = async function* () {
      for (const each of files(3000)) {
        if (++read % 100 === 0) await world.breathe()
        yield each
      }
    }
    let first = 0
    world.send = async () => {
      first ||= read
      return 'image'
    }
    await world.queue.add(folder(), 'circles')
    expect(first).toBeGreaterThan(0)
    expect(first).toBeLessThan(1000)
    world.queue.cancelAll()
  })

  it('does not send a picture twice of which only the answer was lost', async () => {
    const world = new World()
    let tries = 0
    world.send = async (entry) => {
      tries++
      world.knownDigests[`digest of ${entry.name}`] = 'the image'
      throw new Lost('no connection')
    }
    await world.queue.add(files(1), 'circles')
    await world.until(() => world.queue.counts.known === 1)
    expect(tries).toBe(1)
    expect(world.queue.entries[0]).toMatchObject({ image: 'the image' })
  })

  it('does not send a picture twice that was paused when only the answer was missing', async () => {
    const world = new World()
    const tries: string[] = []
    world.send = (entry, signal) =>
      new Promise((_, reject) => {
        tries.push(entry.name)
        if (entry.name === '0.jpg') {
          entry.sent = entry.size
          world.knownDigests[`digest of ${entry.name}`] = 'the image'
        }
        signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')))
      })
    await world.queue.add(files(2), 'circles')
    await world.until(() => tries.length === 2)
    world.queue.pause()
    await world.until(() => world.queue.counts.sending === 0)
    expect(world.queue.counts).toMatchObject({ waiting: 1, ready: 1 })
    world.queue.resume()
    await world.until(() => world.queue.counts.known === 1 && tries.length === 3)
    expect(tries).toEqual(['0.jpg', '1.jpg', '1.jpg'])
    expect(world.forgotten).toEqual([world.queue.entries[0]!.id])
  })

  it('keeps what was sent while it is paused', async () => {
    const world = new World()
    const [passed, open] = gate()
    world.send = async (entry, signal) => {
      if (!signal.aborted && entry.name === '0.jpg') await Promise.race([passed, new Promise((_, reject) => signal.addEventListener('abort', reject))])
      return 'image'
    }
    await world.queue.add(files(1), 'circles')
    await world.until(() => world.queue.sentBytes === 50)
    world.queue.pause()
    await world.until(() => world.queue.counts.ready === 1)
    expect(world.queue.sentBytes).toBe(50)
    open()
    world.queue.resume()
    await world.until(() => world.queue.counts.done === 1)
    expect(world.queue.sentBytes).toBe(100)
  })

  it('pauses and resumes', async () => {
    const world = new World()
    world.send = (entry, signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')))
        setTimeout(() => resolve(entry.name), 5)
      })
    await world.queue.add(files(10), 'circles')
    await world.until(() => world.queue.counts.sending > 0)
    world.queue.pause()
    await world.until(() => world.queue.counts.sending === 0)
    const done = world.queue.counts.done
    for (let turn = 0; turn < 20; turn++) await world.breathe()
    expect(world.queue.counts.done).toBe(done)
    world.queue.resume()
    await world.until(() => world.queue.counts.done === 10)
  })

  it('pauses and cancels what waits for a transport that is late', async () => {
    const world = new World()
    const [late, arrive] = gate()
    world.transportArrives = late
    await world.queue.add(files(2), 'circles')
    await world.until(() => world.queue.counts.sending === 2)
    world.queue.pause()
    arrive()
    await world.until(() => world.queue.counts.sending === 0)
    world.queue.cancel(world.queue.entries[1]!.id)
    expect(world.sent).toEqual([])
    world.queue.resume()
    await world.until(() => world.queue.open === 0)
    expect(world.sent).toEqual(['0.jpg'])
  })

  it('cancels one, and all', async () => {
    const world = new World()
    world.queue.isPaused = true
    await world.queue.add(files(5), 'circles')
    world.queue.cancel(world.queue.entries[0]!.id)
    expect(world.queue.counts).toMatchObject({ cancelled: 1, waiting: 4 })
    expect([world.queue.total, world.queue.totalBytes]).toEqual([4, 400])
    world.queue.cancelAll()
    expect(world.queue.open).toBe(0)
    expect(world.queue.totalBytes).toBe(0)
    expect(world.queue.entries.every((entry) => entry.file === null)).toBe(true)
  })

  it('ends what was paused when it is cancelled', async () => {
    const world = new World()
    let begun = 0
    world.send = (_, signal) =>
      new Promise((_, reject) => {
        begun++
        signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')))
      })
    await world.queue.add(files(3), 'circles')
    await world.until(() => begun === 3)
    world.queue.pause()
    await world.until(() => world.queue.counts.sending === 0)
    const [one, ...others] = world.queue.entries.map((entry) => entry.id)
    world.queue.cancel(one!)
    await world.until(() => world.forgotten.length > 0)
    expect(world.forgotten).toEqual([one])
    world.queue.cancelAll()
    await world.until(() => world.forgotten.length > 1)
    expect(world.forgotten).toEqual([one, ...others])
  })

  it('takes uploads back from a server that hangs, and goes on when it answers', async () => {
    const world = new World()
    let begun = 0
    world.send = (_, signal) =>
      new Promise((resolve, reject) => {
        if (++begun > 3) resolve('image')
        signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')))
      })
    await world.queue.add(files(3), 'circles')
    await world.until(() => begun === 3)
    expect(world.queue.waits).toBe(false)
    world.clock += 6000
    expect(world.queue.waits).toBe(true)
    world.isThere = false
    await world.queue.look()
    expect(world.queue.counts.sending).toBe(3)
    world.clock += 15_000
    await world.queue.look()
    await world.until(() => world.queue.counts.sending === 0)
    expect(world.queue.stalled).not.toBe('')
    world.isThere = true
    await world.until(() => world.queue.counts.done === 3)
    expect(world.queue.stalled).toBe('')
  })

  it('leaves slow uploads alone while the server answers', async () => {
    const world = new World()
    let [begun, aborted] = [0, 0]
    const [passed, open] = gate()
    world.send = async (_, signal) => {
      begun++
      signal.addEventListener('abort', () => aborted++)
      await passed
      return 'image'
    }
    await world.queue.add(files(3), 'circles')
    await world.until(() => begun === 3)
    for (let turn = 0; turn < 5; turn++) {
      world.clock += 21_000
      await world.queue.look()
    }
    open()
    await world.until(() => world.queue.counts.done === 3)
    expect(aborted).toBe(0)
  })

  it('tells speed and time left', async () => {
    const world = new World()
    world.send = async () => {
      world.clock += 500
      return 'image'
    }
    await world.queue.add(files(6), 'circles')
    await world.until(() => world.queue.counts.done === 6)
    expect(world.queue.speed).toBeGreaterThan(0)
    expect(world.queue.secondsLeft).toBe(0)
  })

  it('lets the page breathe while it takes ten thousand files in', async () => {
    const world = new World()
    const { breathe } = world
    let most = 0
    let before = 0
    world.breathe = () => {
      most = Math.max(most, world.queue.counts.waiting - before)
      before = world.queue.counts.waiting
      return breathe()
    }
    world.queue.isPaused = true
    await world.queue.add(files(10_000), 'circles')
    await world.breathe()
    expect(before).toBe(10_000)
    expect(most).toBeLessThan(1000)
  })

  it('forgets what is over', async () => {
    const world = new World()
    await world.queue.add([...files(3), file('film.mkv', 5000)], 'circles')
    await world.until(() => world.queue.open === 0)
    world.queue.clear()
    expect(world.queue.entries).toEqual([])
    expect(world.queue.totalBytes).toBe(0)
  })

  it('keeps what is to be sent, and nothing else', async () => {
    const world = new World()
    world.knownDigests['digest of 1.jpg'] = 'the other image'
    world.send = async (entry) => {
      if (entry.name === '2.jpg') throw new Refused('It is cut off.')
      return 'image'
    }
    world.queue.isPaused = true
    await world.queue.add([...files(4), file('film.mkv', 5000)], 'circles')
    expect([...world.kept]).toEqual(['0.jpg', '1.jpg', '2.jpg', '3.jpg'])
    world.queue.cancel(world.queue.entries[3]!.id)
    expect(world.kept).not.toContain('3.jpg')
    world.queue.resume()
    await world.until(() => world.queue.open === 0)
    expect(world.kept.size).toBe(0)
    world.queue.pause()
    world.queue.againAll('known')
    expect([...world.kept]).toEqual(['1.jpg'])
  })

  it('goes on with the uploads of an earlier page, each by its own recipe', async () => {
    const world = new World()
    const sent: [string, string, string][] = []
    world.knownDigests['digest of twice.jpg'] = 'the other image'
    world.send = async ({ name, recipe, key }) => {
      sent.push([name, recipe, key])
      return 'image'
    }
    const restored = (name: string, recipe: string, anyway: boolean) => ({ file: file(name), name: `day/${name}`, recipe, anyway, key: `key of ${name}` })
    world.queue.restore([restored('one.jpg', 'framed', false), restored('twice.jpg', 'circles', true)])
    await world.until(() => world.queue.counts.done === 2)
    expect(sent).toContainEqual(['day/one.jpg', 'framed', 'key of one.jpg'])
    expect(sent).toContainEqual(['day/twice.jpg', 'circles', 'key of twice.jpg'])
  })
})
