import { type ImageInfo } from '../api/client'
import { momentOf } from '../words/format'
import { t } from '../words/texts'

/** Where an image's result was written and when, or why it is not there yet. */
export function exportText(found: NonNullable<ImageInfo['export']>): string {
  if (found.exported_at) return t.viewer.written(found.urls, momentOf(found.exported_at))
  if (found.failed_attempts) return t.viewer.notWritten(found.failed_attempts, found.error ?? '', momentOf(found.next_try_at!))
  return t.viewer.waiting(found.target)
}
