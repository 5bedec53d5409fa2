// Whether this browser may use the server, and how it comes to do so.

import { api, data, onSignedOut, type Session } from '../api/client'

class Access {
  state = $state<'unknown' | 'in' | 'out'>('unknown')
  needsToken = $state(false)

  constructor() {
    onSignedOut(() => {
      this.needsToken = true
      this.state = 'out'
    })
  }

  async look(): Promise<void> {
    this.#take(await data(api.GET('/session')))
  }

  async signIn(token: string): Promise<void> {
    this.#take(await data(api.POST('/session', { body: { token } })))
  }

  async signOut(): Promise<void> {
    this.#take(await data(api.DELETE('/session')))
  }

  #take(session: Session): void {
    this.needsToken = session.needs_token
    this.state = session.signed_in ? 'in' : 'out'
  }
}

export const session = new Access()
