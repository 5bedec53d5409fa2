// Starts a whole system for tests and speaks with it.

import { expect } from '@playwright/test'
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'

const ROOT = join(import.meta.dirname, '..', '..')

export class Stack {
  url = ''
  api = ''
  uploader = ''
  dagster = ''
  pictures = ''
  spool = ''
  log = ''
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

  /** Makes an open system as good as new: without pictures, saved recipes or a pause. */
  async clear(): Promise<void> {
    await this.#ask('POST', '/resume')
    await this.rest()
    await this.#ask('DELETE', '/all')
    const recipes: { name: string; is_builtin: boolean }[] = await this.#ask('GET', '/recipes').then((answer) => answer.json())
    for (const { name, is_builtin } of recipes) if (!is_builtin) await this.#ask('DELETE', `/recipes/${name}`)
  }

  /** Waits until nothing is left to do. */
  async rest(): Promise<void> {
    const left = async () => {
      const spooled = readdirSync(join(this.spool, 'ready')).length // before the catalog, to which they go
      // the figures of /stats lag behind
      const answer = await fetch(`${this.url}/api/images?state=queued&state=processing&limit=1`, { headers: { connection: 'close' } }).catch(() => null)
      return answer?.ok ? spooled + (await answer.json()).length : (answer?.status ?? 'no answer')
    }
    await expect.poll(left, { timeout: 300_000 }).toBe(0)
  }

  /** Tells the system to `kill` a part of it, to `fill` its catalog, or to `expire` its runs. */
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

  async #ask(method: string, path: string): Promise<Response> {
    const answer = await fetch(`${this.url}/api${path}`, { method, headers: { connection: 'close' } })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return answer
  }

  async #answer(): Promise<unknown> {
    const { value, done } = await this.#lines.next()
    if (done) throw new Error('the system ended')
    return JSON.parse(value)
  }
}
