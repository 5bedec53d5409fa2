// How programs get a picture: with curl, with the command line, and what the API answers.

import type { ImageInfo } from '../api/client'

const TOKEN = `-H "Authorization: Bearer $IMAGOMORTIS_TOKEN" `

/** The texts by their names, for a system whose page is at `origin`. */
export function commands(info: ImageInfo, origin: string, needsToken: boolean): Record<string, string> {
  const curl = (rest: string) => `curl ${needsToken ? TOKEN : ''}${rest}`
  const at = `${origin}/api/images/${info.id}`
  const recipe = JSON.stringify({ recipe: info.recipe_name ?? info.recipe }).replaceAll("'", "'\\''")
  return {
    curl: [
      curl(`-OJ '${at}?download=true'`),
      curl(`-OJ '${at}/original?download=true'`),
      curl(`'${at}/info'`),
      curl(`-X PATCH '${at}' -H 'Content-Type: application/json' -d '${recipe}'`),
    ].join('\n'),
    cli: [`imagomortis download ${info.id}`, `imagomortis download --kind original ${info.id}`, `imagomortis show --json ${info.id}`, `imagomortis retry ${info.id}`].join('\n'),
    json: JSON.stringify(info, null, 2),
  }
}
