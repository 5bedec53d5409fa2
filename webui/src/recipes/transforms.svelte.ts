// The transforms that there are, as the server describes them.

import { api, data } from '../api/client'
import { type Described, type Kind, kindsOf, unknown } from './steps'

class Transforms {
  all = $state.raw<Kind[]>([])
  #loading: Promise<void> | undefined

  load(): Promise<void> {
    this.#loading ??= data(api.GET('/transforms')).then(
      (found) => {
        this.all = kindsOf(found as Described[])
      },
      (error: unknown) => {
        this.#loading = undefined
        throw error
      },
    )
    return this.#loading
  }

  kindOf(transform: string): Kind {
    return this.all.find((kind) => kind.transform === transform) ?? unknown(transform)
  }
}

export const transforms = new Transforms()
