// Starts a whole system for tests and speaks with it.

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'

const ROOT = join(import.meta.dirname, '..', '..')

export class Stack {
  url = ''
  pictures = ''
  database = ''
  #process: ChildProcessByStdio<Writable, Readable, null>
  #lines: AsyncIterableIterator<string>
  #reader: Interface

  private constructor(settings: Record<string, unknown>) {
    const python = join(ROOT, '.venv', 'bin', 'python')
    this.#process = spawn(python, [join(import.meta.dirname, 'stack.py'), JSON.stringify(settings)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#reader = createInterface(this.#process.stdout)
    this.#lines = this.#reader[Symbol.asyncIterator]() as AsyncIterableIterator<string>
  }

  static async start(settings: Record<string, unknown> = {}): Promise<Stack> {
    const stack = new Stack(settings)
    Object.assign(stack, await stack.#answer())
    return stack
  }

  /** Tells the system to `kill` or to `hang` a part of it, to `fill` its catalog, or to `expire` its runs. */
  async tell(line: string): Promise<void> {
    this.#process.stdin.write(`${line}\n`)
    await this.#answer()
  }

  file(name: string): string {
    return join(this.pictures, name)
  }

  async stop(): Promise<void> {
    this.#process.stdin.end()
    await once(this.#process, 'exit')
  }

  async #answer(): Promise<unknown> {
    const { value, done } = await this.#lines.next()
    if (done) throw new Error('the system ended')
    return JSON.parse(value)
  }
}
