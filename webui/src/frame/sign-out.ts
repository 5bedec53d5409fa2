// Signs a person out, and ends what would be left of theirs in the browser.

import { attempt } from '../gallery/selection/selection.svelte'
import { uploads } from '../upload/uploads.svelte'
import { session } from './session.svelte'

export function signOut(): void {
  uploads.end()
  void attempt(() => session.signOut())
}
