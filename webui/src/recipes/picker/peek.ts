// Looks at the first files of many that are read later.

type Files = AsyncIterable<File> | Iterable<File>

/** The same files, of which some may be looked at before all are taken. */
export class Peek implements AsyncIterable<File> {
  #iterator: AsyncIterator<File> | Iterator<File> | undefined
  #seen: File[] = []
  #looking: Promise<File[]> = Promise.resolve([])
  #problem: { error: unknown } | undefined

  constructor(private readonly source: Files) {}

  /** The first files; fewer where there are no more, or all are taken already. */
  first(count: number): Promise<File[]> {
    this.#looking = this.#looking.then(async () => {
      try {
        while (this.#seen.length < count) {
          const { done, value } = await this.#rest().next()
          if (done) break
          this.#seen.push(value)
        }
      } catch (error) {
        this.#problem = { error } // whoever takes the files hears of it
      }
      return this.#seen.slice(0, count)
    })
    return this.#looking
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<File> {
    await this.#looking
    yield* this.#seen.splice(0)
    if (this.#problem) throw this.#problem.error
    for (let next = await this.#rest().next(); !next.done; next = await this.#rest().next()) yield next.value
  }

  #rest(): AsyncIterator<File> | Iterator<File> {
    return (this.#iterator ??= Symbol.asyncIterator in this.source ? this.source[Symbol.asyncIterator]() : this.source[Symbol.iterator]())
  }
}
